// Keys of the panel "Decide": 1 to 9 press the button of a class, u "Unsure", b "Bad image".
// The arrows of the keyboard are FiftyOne's own: they open the next image of the grid.
(() => {
  const WORDS = { u: "Unsure", b: "Bad image" };
  const isTyping = (element) => element.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(element.tagName);

  // The panel that can be seen: that of the open image, if there is one, lies in front of that of the grid.
  const panel = () => {
    const shown = (element) => element.offsetParent !== null;
    const open = document.getElementById("modal");
    const place = open && open.childElementCount ? open : document;
    return [...place.querySelectorAll('[data-cy="panel-content-decide"]')].filter(shown).pop();
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event.target)) return;
    const word = WORDS[event.key];
    if (!word && !/^[1-9]$/.test(event.key)) return;
    const buttons = [...(panel()?.querySelectorAll("button") ?? [])];
    const pressed = buttons.find((button) => {
      const label = button.textContent.trim();
      return word ? label === word : label.startsWith(`${event.key} `);
    });
    if (!pressed || pressed.disabled) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    pressed.click();
  }, true);
})();
