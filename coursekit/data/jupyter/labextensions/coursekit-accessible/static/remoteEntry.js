// Fixes what JupyterLab 4 and ipywidgets 8 leave out, by the numbers of WCAG 2.2. No lab needs to know about it.
//   2.1.1  JupyterLab takes the arrow keys in options, menus and sliders to go to the next cell: they get them back
//   4.1.2  a slider's label is next to it but not linked to it, and the buttons of Play are icons: both get names
//   1.4.1  a link inside text differs from it only in color: it gets an underline
//   2.4.7  only a pale border shows which control has the focus: it gets a frame
//   2.5.8  an option of a quiz is 20 pixels high: it gets 24, and a long one may take two lines
//   1.3.1  options without a label belong to the question above them: it becomes the name of their group, and they
//          become a group for the keyboard: Tab goes to it, and the arrow keys choose within it
// It also makes long printed lines break between words, not within one.
//
// JupyterLab loads this file from a prebuilt extension. It is written by hand: a module container with one module.
(() => {
  "use strict";

  const MOVES = ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Home", "End", "PageUp", "PageDown"];
  const MOVED = '.jupyter-widgets :is(input[type="radio"], select, [role="slider"])';
  const PLAY = ["Play or pause", "Stop", "Repeat"];
  const STYLE = `
    .jupyter-widgets :is(button, input, select, textarea, [role="slider"], [role="textbox"]):focus-visible {
      outline: 2px solid var(--jp-brand-color1) !important; outline-offset: 2px; }
    .jp-OutputArea-output.jp-RenderedText pre { word-break: normal; overflow-wrap: anywhere; }
    .jp-RenderedMarkdown :is(p, li, td) a:not(.jp-InternalAnchorLink) { text-decoration: underline; }
    .widget-radio-box label { height: auto; min-height: 24px; line-height: 24px; white-space: normal; }
    .widget-radio-box input { width: 16px; height: 16px; margin: 4px 8px 4px 1px; }`;
  let made = 0;

  const idOf = (element) => (element.id ||= `coursekit-name-${++made}`);

  function nameSlider(handle) {
    const slider = handle.closest(".widget-slider");
    const label = slider?.querySelector(".widget-label");
    if (label?.textContent.trim()) handle.setAttribute("aria-labelledby", idOf(label));
    else if (slider?.title) handle.setAttribute("aria-label", slider.title);
    // What a slider of choices says of itself is the number of the choice; what it shows is the choice.
    const readout = slider?.querySelector(".widget-readout");
    if (!readout) return;
    handle.setAttribute("aria-describedby", idOf(readout));
    if (readout.isContentEditable) readout.setAttribute("role", "textbox");
    if (label) readout.setAttribute("aria-labelledby", idOf(label));
  }

  function nameButton(button) {
    const place = [...button.parentElement.querySelectorAll("button")].indexOf(button);
    if (place in PLAY) button.setAttribute("aria-label", PLAY[place]);
  }

  function nameOptions(options) {
    const question = options.closest(".widget-radio")?.previousElementSibling?.querySelector(".widget-html-content");
    if (!question) return;
    options.setAttribute("role", "radiogroup");
    options.setAttribute("aria-labelledby", idOf(question));
    options.querySelectorAll("input").forEach((option) => { option.name = idOf(question); });
  }

  // Lumino, JupyterLab's keyboard, looks for this attribute before it runs a command. Other keys stay JupyterLab's.
  function giveArrows(event) {
    event.target.closest?.(MOVED)?.toggleAttribute("data-lm-suppress-shortcuts", MOVES.includes(event.key));
  }

  function nameAll() {
    document.querySelectorAll(".noUi-handle:not([aria-labelledby], [aria-label])").forEach(nameSlider);
    document.querySelectorAll(".widget-radio-box:not([role])").forEach(nameOptions);
    document.querySelectorAll(".widget-play button:not([aria-label])").forEach(nameButton);
  }

  function activate() {
    document.head.append(Object.assign(document.createElement("style"), { textContent: STYLE }));
    window.addEventListener("keydown", giveArrows, true);
    let waiting = false;
    const soon = () => {
      if (!waiting) requestAnimationFrame(() => { waiting = false; nameAll(); });
      waiting = true;
    };
    new MutationObserver(soon).observe(document.body, { childList: true, subtree: true });
    soon();
  }

  const plugin = { id: "coursekit-accessible:plugin", autoStart: true, activate };
  (window._JUPYTERLAB ||= {})["coursekit-accessible"] = {
    init() {},
    get: async () => () => ({ __esModule: true, default: plugin }),
  };
})();
