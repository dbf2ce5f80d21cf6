// Keys of the panel "Decide": 1 to 9 press the button of a class, u "Unsure", b "Bad image".
// The arrows of the keyboard are FiftyOne's own: they open the next image of the grid.
(() => {
  const WORDS = { u: "Unsure", b: "Bad image" };
  const isTyping = (element) => element.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(element.tagName);

  // The panel that can be seen. An image that is open lies in front of the grid, and of the panel beside it.
  const panel = () => {
    const isOpen = document.querySelector('[data-cy="modal-content"]') !== null;
    const found = document.querySelectorAll(`${isOpen ? "#modal " : ""}[data-cy="panel-content-decide"]`);
    return [...found].filter((element) => element.getClientRects().length > 0).pop();
  };

  window.addEventListener("keydown", (event) => {
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

  // FiftyOne passes on what is typed only after a moment: a press of "Ask" waits for it.
  const MOMENT = 1000;
  let typed = 0;
  window.addEventListener("input", () => { typed = Date.now(); }, true);
  window.addEventListener("click", (event) => {
    const button = event.target.closest?.("button");
    const rest = MOMENT - (Date.now() - typed);
    if (rest <= 0 || button?.textContent.trim() !== "Ask") return;
    event.preventDefault();
    event.stopImmediatePropagation();
    setTimeout(() => button.click(), rest);
  }, true);
})();
