// Names for controls of ipywidgets 8: a slider's label stands beside it but is not tied to it, and the buttons of Play
// are icons, so a screen reader says "slider" and "button" (WCAG 2.2, 4.1.2 Name, Role, Value). No lab needs to know.
//
// This file is what JupyterLab loads of a prebuilt extension, written by hand: a module container of one module.
(() => {
  "use strict";

  const PLAY = ["Play or pause", "Stop", "Repeat"];
  let made = 0;

  const idOf = (element) => (element.id ||= `coursekit-name-${++made}`);

  function nameSlider(handle) {
    const slider = handle.closest(".widget-inline-hbox");
    const label = slider?.querySelector(".widget-label");
    if (label?.textContent.trim()) handle.setAttribute("aria-labelledby", idOf(label));
    else if (slider?.title) handle.setAttribute("aria-label", slider.title);
    // What a slider of choices says of itself is the number of the choice; what it shows is the choice.
    const readout = slider?.querySelector(".widget-readout");
    if (readout) handle.setAttribute("aria-describedby", idOf(readout));
  }

  function nameButton(button) {
    const place = [...button.parentElement.querySelectorAll("button")].indexOf(button);
    if (place in PLAY) button.setAttribute("aria-label", PLAY[place]);
  }

  function nameAll() {
    document.querySelectorAll(".noUi-handle:not([aria-labelledby], [aria-label])").forEach(nameSlider);
    document.querySelectorAll(".widget-play button:not([aria-label])").forEach(nameButton);
  }

  function activate() {
    let waiting = false;
    const soon = () => {
      if (!waiting) requestAnimationFrame(() => { waiting = false; nameAll(); });
      waiting = true;
    };
    new MutationObserver(soon).observe(document.body, { childList: true, subtree: true });
    soon();
  }

  const plugin = { id: "coursekit-names:plugin", description: "Names the controls of widgets.", autoStart: true, activate };
  (window._JUPYTERLAB ||= {})["coursekit-names"] = {
    init() {},
    get: async () => () => ({ __esModule: true, default: plugin }),
  };
})();
