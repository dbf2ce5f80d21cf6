// The list of images in the report: search, filters, gallery, and each image by itself. The address after # says what is
// shown, so that a link to it shows the same. Text from the data is set as text only, never as markup.
"use strict";
(() => {
  const PAGE = 60;
  const images = taken("data-images");
  const pictures = taken("data-pictures");
  const STANDS = { same: "says the same as the label", other: "says something else", none: "gives no answer", open: "answers, and there is no label" };
  const STATUS = taken("data-words");
  const NONE = "(none)", ANY = "(any)";

  function taken(id) {
    const element = document.getElementById(id);
    const data = JSON.parse(element.textContent);
    element.remove(); // it may be many megabytes
    return data;
  }

  images.forEach((image, place) => {
    image.place = place;
    image.said ??= [];
    image.history ??= [];
    const texts = [image.image, image.id, image.source, image.label, image.likely, image.reason, image.detail, image.because];
    for (const one of image.said) texts.push(one.who, one.model, one.said, one.note);
    for (const one of image.history) texts.push(one.who, one.said, one.note);
    image.text = texts.filter(Boolean).join("\n").toLowerCase();
    image.latest = image.history.reduce((last, one) => ((one.when ?? "") > last ? one.when : last), "");
  });

  // name: [values of an image, how a value is called, whether it has a control]
  const because = Object.fromEntries(images.filter((image) => image.why).map((image) => [image.why, image.because]));
  const FACETS = {
    category: [(image) => [image.category]],
    source: [(image) => [image.source]],
    label: [(image) => [image.label]],
    status: [(image) => [image.status], (value) => STATUS[value] ?? value],
    why: [
      (image) => (image.why ? [image.why, ANY] : [NONE]),
      (value) => ({ [NONE]: "not in the queue", [ANY]: "in the queue, whyever" })[value] ?? because[value] ?? value,
    ],
    witness: [
      (image) => [...new Set(image.said.map((one) => `${one.who}|${one.stand}`))],
      (value) => { const cut = value.lastIndexOf("|"); return `${value.slice(0, cut)} ${STANDS[value.slice(cut + 1)] ?? value.slice(cut + 1)}`; },
    ],
    changed: [(image) => [image.changed ? "yes" : "no"], (value) => (value === "yes" ? "changed" : "not changed")],
    by: [(image) => [image.by]],
    person: [(image) => (image.history.length ? [...new Set(image.history.map((one) => one.who))] : [NONE]), (value) => (value === NONE ? "nobody yet" : value)],
  };
  const ORDERS = {
    wrong: (one, other) => (other.score ?? 0) - (one.score ?? 0) || one.place - other.place,
    latest: (one, other) => (one.latest < other.latest ? 1 : one.latest > other.latest ? -1 : one.place - other.place),
    path: (one, other) => (one.image < other.image ? -1 : 1),
  };

  const form = document.getElementById("filters");
  const gallery = document.getElementById("gallery");
  const dialog = document.getElementById("detail");
  const more = document.getElementById("more");
  const count = document.getElementById("count");
  let state = new URLSearchParams();
  let shown = images;
  let limit = PAGE;

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) if (value !== undefined && value !== "") made.setAttribute(key, value);
    made.append(...children.filter((child) => child !== undefined && child !== null && child !== ""));
    return made;
  }

  function wanted(except) {
    const terms = (state.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const asked = Object.keys(FACETS).filter((name) => name !== except && state.get(name));
    return images.filter((image) =>
      terms.every((term) => image.text.includes(term)) &&
      asked.every((name) => FACETS[name][0](image).includes(state.get(name))));
  }

  function fillControls() {
    for (const [name, [values, title]] of Object.entries(FACETS)) {
      const control = form.elements[name], chosen = state.get(name) ?? "";
      const counts = new Map();
      for (const image of images) for (const value of values(image)) counts.set(value, 0);
      const rest = wanted(name);
      for (const image of rest) for (const value of values(image)) counts.set(value, counts.get(value) + 1);
      if (chosen && !counts.has(chosen)) counts.set(chosen, 0); // a link from another report: nothing fits, and that is said
      const options = [...counts].filter(([value, number]) => number || value === chosen).map(([value, number]) => [title ? title(value) : value, value, number]);
      options.sort((one, other) => (one[0] < other[0] ? -1 : 1));
      control.replaceChildren(new Option(`any (${rest.length.toLocaleString("en")})`, ""),
        ...options.map(([text, value, number]) => new Option(`${text} (${number.toLocaleString("en")})`, value, false, value === chosen)));
      control.classList.toggle("on", chosen !== "");
    }
    const search = form.elements.q;
    if (document.activeElement !== search) search.value = state.get("q") ?? "";
    search.classList.toggle("on", search.value !== "");
    form.elements.sort.value = ORDERS[state.get("sort")] ? state.get("sort") : "";
  }

  function link(changes) {
    const params = new URLSearchParams(state);
    for (const [key, value] of Object.entries(changes)) if (value) params.set(key, value); else params.delete(key);
    return `#${params}`;
  }

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { load(entry.target); seen.unobserve(entry.target); }
  }, { rootMargin: "600px" });

  function load(picture) {
    const data = pictures.thumbnails[picture.dataset.id];
    if (!picture.src) picture.src = `data:image/jpeg;base64,${data}`;
  }

  function move(image) {
    if (image.status === "pending") return image.likely === image.source ? `${image.source}?` : `${image.source} → ${image.likely ?? ""}?`;
    return image.changed || image.status === "excluded" ? `${image.source} → ${image.label}` : image.label;
  }

  function marks(image) {
    const made = [];
    if (image.changed) made.push(element("span", { class: "mark changed" }, "changed"));
    if (image.status !== "accepted") made.push(element("span", { class: `mark ${image.status}` }, STATUS[image.status]));
    if (image.by === "people") made.push(element("span", { class: "mark people" }, "decided by people"));
    if (image.why) made.push(element("span", { class: "mark" }, image.because));
    return made;
  }

  function card(image) {
    const look = element("span", { class: "look" });
    if (Object.hasOwn(pictures.thumbnails, image.id)) {
      const picture = element("img", { alt: "", "data-id": image.id, decoding: "async" });
      look.append(picture);
      seen.observe(picture);
    } else look.append("no picture");
    const text = element("span", { class: "text" }, element("span", { class: "move" }, move(image)), element("span", { class: "path" }, image.image), ...marks(image));
    return element("li", {}, element("a", { class: "card", href: link({ image: image.id }) }, look, text));
  }

  function show() {
    shown = wanted();
    const order = ORDERS[state.get("sort")];
    if (order) shown = [...shown].sort(order);
    gallery.replaceChildren(...shown.slice(0, limit).map(card));
    const left = shown.length - limit;
    more.hidden = left <= 0;
    more.textContent = `Show ${Math.min(PAGE, left).toLocaleString("en")} more of ${Math.max(left, 0).toLocaleString("en")}`;
    const all = images.length.toLocaleString("en");
    count.textContent = shown.length ? `${shown.length.toLocaleString("en")} of ${all} listed images` : `None of the ${all} listed images fits: clear a filter.`;
    fillControls();
  }

  // One image

  function facts(pairs) {
    const list = element("dl");
    for (const [name, value] of pairs) if (value) list.append(element("dt", {}, name), element("dd", {}, value));
    return list;
  }

  function table(head, rows) {
    const cells = (name, row) => row.map((cell) => (cell instanceof Node ? element(name, {}, cell) : element(name, {}, cell ?? "")));
    return element("div", { class: "wide", tabindex: "0", role: "group", "aria-label": "Table" }, element("table", {}, element("thead", {}, element("tr", {}, ...cells("th", head))),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells("td", row))))));
  }

  function detail(image) {
    const place = shown.indexOf(image);
    const beside = (step) => (place < 0 ? undefined : shown[place + step]);
    const step = (text, other) => (other ? element("a", { href: link({ image: other.id }) }, text) : element("span", { class: "faded" }, text));
    const close = element("button", { type: "button" }, "Close");
    close.addEventListener("click", () => dialog.close());
    const data = pictures.large[image.id] ?? pictures.thumbnails[image.id];
    const parts = [element("div", { class: "bar" },
      element("h2", { id: "detail-title" }, image.image),
      element("div", {}, step("← previous", beside(-1)), step("next →", beside(1)), element("a", { href: `#image=${encodeURIComponent(image.id)}` }, "link"), close))];
    if (data) parts.push(element("img", { src: `data:image/jpeg;base64,${data}`, alt: `${image.image}: the whole image with the anomaly outlined, and the anomaly close up` }));
    else parts.push(element("p", { class: "faded" }, "There is no picture of it in this page."));
    parts.push(facts([
      ["label", image.likely ? `${image.label}; likeliest is ${image.likely}` : image.label], ["the dataset says", image.source], ["status", `${STATUS[image.status]}, decided by ${image.by}`], ["reason", image.reason],
      ["asked because", image.because], ["", image.detail],
      ["likely wrong", image.score >= 0.01 && `${image.score.toFixed(2)}, from 0 to 1, by all witnesses`], ["category, split", `${image.category}, ${image.split}`], ["id", element("code", {}, image.id)],
    ]));
    parts.push(element("h3", {}, "Who says what"));
    if (image.said.length) parts.push(table(["proposer", "says", "score", "", "why"], image.said.map((one) =>
      [one.model ? `${one.who} (${one.model})` : one.who, one.said ?? "–", one.score === undefined ? "" : one.score.toFixed(2), STANDS[one.stand], one.note])));
    else parts.push(element("p", {}, "No proposer was asked."));
    parts.push(element("h3", {}, "What people decided"));
    if (image.history.length) parts.push(table(["when (UTC)", "who", "decided", "knew", "note"], image.history.map((one) =>
      [(one.when ?? "not known").replace("T", " ").replace(/(\+00:00|Z)$/, ""), one.who, element("span", one.stands ? {} : { class: "gone", title: "replaced or taken back" }, one.said ?? "–"), one.knew, one.note])));
    else parts.push(element("p", {}, "Nobody has looked at it yet."));
    dialog.replaceChildren(...parts);
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  }

  // The address

  function open() {
    const hash = location.hash.slice(1);
    if (!hash.includes("=")) { if (dialog.open) dialog.close(); return; } // the name of a section
    const before = link({ image: "" }), known = state.toString();
    state = new URLSearchParams(hash);
    if (link({ image: "" }) !== before || !known) { limit = PAGE; show(); }
    const image = images.find((one) => one.id === state.get("image"));
    if (image) detail(image);
    else {
      if (dialog.open) dialog.close();
      if (state.get("image")) count.textContent = `${state.get("image")} is not listed in this report. ${count.textContent}`;
      if (link({ image: "" }) !== before) document.getElementById("images").scrollIntoView();
    }
  }

  function set(name, value) {
    if (value) state.set(name, value); else state.delete(name);
    history.replaceState(null, "", state.size ? `#${state}` : "#images");
    limit = PAGE;
    show();
  }

  form.addEventListener("input", (event) => set(event.target.name, event.target.value));
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("clear").addEventListener("click", () => {
    state = new URLSearchParams();
    form.elements.q.value = "";
    set("q", "");
  });
  more.addEventListener("click", () => { limit += PAGE; show(); });
  dialog.addEventListener("close", () => {
    if (!state.get("image")) return;
    state.delete("image");
    history.replaceState(null, "", state.size ? `#${state}` : "#images");
  });
  addEventListener("hashchange", open);
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (dialog.open && step) {
      const image = shown[shown.findIndex((one) => one.id === state.get("image")) + step];
      if (image) location.hash = link({ image: image.id });
    } else if (event.key === "/" && !dialog.open && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
      event.preventDefault();
      form.elements.q.focus();
    }
  });

  // On paper: every image that the filters show, with its picture, and what is folded.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const one of folded) one.open = true;
    gallery.replaceChildren(...shown.map(card));
    for (const picture of gallery.querySelectorAll("img")) load(picture);
  });
  addEventListener("afterprint", () => { for (const one of folded) one.open = false; show(); });

  show();
  open();
})();
