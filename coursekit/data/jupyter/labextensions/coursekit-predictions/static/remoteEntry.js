// A field under each Predict of a chapter: you type what you expect, run the cell, and see both, side by side.
//
// A Predict is a Markdown cell with a line that starts with "**Predict.**", directly before the code cell that
// answers it. What you type is saved in that cell's metadata, so in your notebook and nowhere else. After the last
// cell, a list shows what you predicted and what was printed.
//
//   Enter          saves it and goes to the code cell            Shift+Enter   saves it and runs the code cell
//   Escape         skips it: one key, and the cell does not ask again
//
// One more thing: a chapter, its exercises and their solutions share a file name, so the tabs of the latter two show
// their folder.
//
// JupyterLab loads this file as a prebuilt extension. It is written by hand: a module container with one module.
(() => {
  "use strict";

  const KEY = "coursekit";
  const PREDICT = /^\*\*Predict\.\*\*/m;
  const IN_TAB = ["exercises", "solutions"]; // folders
  const LONGEST = 160; // characters of an output in the list
  const STYLE = `
    .coursekit-predict, .coursekit-predicted, .coursekit-predictions {
      margin: 4px 8px 8px calc(var(--jp-cell-prompt-width) + 8px); padding: 6px 10px; color: var(--jp-content-font-color1);
      font-family: var(--jp-content-font-family); font-size: var(--jp-content-font-size1);
      border-left: 4px solid var(--jp-brand-color1); background: var(--jp-layout-color2); }
    .coursekit-predict label { display: block; font-weight: 600; }
    .coursekit-predict input { box-sizing: border-box; width: 100%; max-width: 44em; min-height: 28px; margin: 4px 0;
      padding: 2px 6px; font: inherit; color: inherit; background: var(--jp-layout-color0);
      border: 1px solid var(--jp-border-color0); border-radius: 2px; }
    .coursekit-predict input:focus-visible { outline: 2px solid var(--jp-brand-color1); outline-offset: 1px; }
    .coursekit-predict small { display: block; color: var(--jp-content-font-color2); }
    .coursekit-predictions table { border-collapse: collapse; width: 100%; table-layout: fixed; }
    .coursekit-predictions :is(th, td) { text-align: left; vertical-align: top; padding: 4px 8px; overflow-wrap: anywhere;
      border-bottom: 1px solid var(--jp-border-color2); }
    .coursekit-predictions button { all: unset; cursor: pointer; text-decoration: underline; min-height: 24px; }
    .coursekit-predictions button:focus-visible { outline: 2px solid var(--jp-brand-color1); }
    ${IN_TAB.map((folder) => `[data-coursekit-folder="${folder}"] .lm-TabBar-tabLabel::before { content: "${folder}/"; }`).join("\n    ")}`;

  const element = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };

  const isPredict = (cell) => cell?.model.type === "markdown" && PREDICT.test(cell.model.sharedModel.getSource());
  const said = (cell) => cell.model.getMetadata(KEY) ?? {};
  const say = (cell, words) => cell.model.setMetadata(KEY, { ...said(cell), ...words });
  const wasRun = (cell) => cell?.model.type === "code" && cell.model.executionCount !== null;

  // The text of a cell's output, without colors. A figure or a table without text is named as such.
  function outputOf(cell) {
    const texts = cell.model.outputs.toJSON().map((output) => {
      if (output.output_type === "error") return `${output.ename}: ${output.evalue}`;
      const text = output.text ?? output.data?.["text/plain"];
      return text === undefined ? "(a picture)" : [].concat(text).join("");
    });
    const text = texts.join(" ").replace(/\u001b\[[0-9;]*m/g, "").replace(/\s+/g, " ").trim();
    return text.length > LONGEST ? `${text.slice(0, LONGEST)} …` : text || "(nothing is printed)";
  }

  // One notebook: its fields, kept in step with its cells.
  class Predictions {
    constructor(panel, actions, Widget) {
      Object.assign(this, { panel, actions, Widget, notebook: panel.content, parts: new Map() });
      this.notebook.model.cells.changed.connect(() => this.refresh());
      this.notebook.activeCellChanged.connect(() => this.ask());
      this.list = new Widget({ node: element("section", { className: "coursekit-predictions" }) });
      this.list.node.setAttribute("aria-label", "Your predictions");
      this.refresh();
    }

    get pairs() {
      const cells = this.notebook.widgets;
      return cells.flatMap((cell, i) => (isPredict(cell) && cells[i + 1]?.model.type === "code" ? [[cell, cells[i + 1]]] : []));
    }

    refresh() {
      this.pairs.forEach(([cell, code]) => this.show(cell, code));
      this.summarize();
    }

    part(cell, name, make) {
      const key = `${cell.model.id} ${name}`;
      const made = this.parts.get(key);
      if (made?.cell === cell) return made.node; // a cell that is out of sight is not ready, but still has its field
      const widget = new this.Widget({ node: make() });
      this.parts.set(key, { cell, node: widget.node });
      cell.ready.then(() => cell.layout.addWidget(widget));
      return widget.node;
    }

    show(cell, code) {
      const field = this.part(cell, "field", () => this.form(cell));
      const { prediction = "", skipped = false } = said(cell);
      const input = field.querySelector("input");
      if (document.activeElement !== input) input.value = prediction;
      field.querySelector("small").textContent = skipped && !prediction
        ? "Skipped. You can still type one."
        : "Enter keeps it, Shift+Enter keeps it and runs the next cell, Escape skips it.";
      const answer = this.part(code, "answer", () => element("div", { className: "coursekit-predicted" }));
      answer.hidden = !(prediction && wasRun(code));
      answer.textContent = `You predicted: ${prediction}`;
    }

    form(cell) {
      const id = `coursekit-predict-${cell.model.id}`;
      const input = element("input", { id, type: "text", autocomplete: "off", maxLength: 500 });
      input.setAttribute("data-lm-suppress-shortcuts", "true"); // its keys are not JupyterLab's
      input.setAttribute("aria-describedby", `${id}-help`);
      const keep = () => {
        const prediction = input.value.trim();
        if (prediction !== (said(cell).prediction ?? "")) say(cell, { prediction, skipped: false });
      };
      input.addEventListener("change", () => { keep(); this.refresh(); });
      input.addEventListener("keydown", (event) => {
        event.stopPropagation();
        if (event.isComposing || !["Enter", "Escape"].includes(event.key)) return;
        event.preventDefault();
        if (event.key === "Escape") { input.value = said(cell).prediction ?? ""; say(cell, { skipped: true }); } else keep();
        this.go(cell, event.key === "Enter" && event.shiftKey);
      });
      return element("div", { className: "coursekit-predict" },
        element("label", { htmlFor: id, textContent: "Your prediction" }), input,
        element("small", { id: `${id}-help` }));
    }

    // On to the code cell; and run it.
    async go(cell, run) {
      const { notebook } = this;
      notebook.activeCellIndex = notebook.widgets.indexOf(cell) + 1;
      notebook.mode = "command";
      notebook.activate();
      this.refresh();
      if (run) await this.actions.runAndAdvance(notebook, this.panel.sessionContext);
    }

    // A reader who moves to the code cell with the keyboard is first asked for a prediction, once.
    ask() {
      setTimeout(() => {
        const { notebook } = this;
        const cell = notebook.widgets[notebook.activeCellIndex - 1];
        if (notebook.mode !== "command" || !isPredict(cell) || wasRun(notebook.activeCell)) return;
        const { prediction, skipped } = said(cell);
        if (!prediction && !skipped && !this.byMouse) this.parts.get(`${cell.model.id} field`)?.node.querySelector("input").focus();
      });
    }

    summarize() {
      const rows = this.pairs.filter(([cell]) => said(cell).prediction);
      const end = this.notebook.widgets.at(-1);
      if (!rows.length || !end) { this.list.parent = null; return; }
      const heads = ["You predicted", "It printed"].map((text) => {
        const head = element("th", { textContent: text });
        head.scope = "col";
        return head;
      });
      const line = ([cell, code]) => {
        const jump = element("button", { textContent: said(cell).prediction, title: "Go to this prediction" });
        jump.addEventListener("click", () => this.notebook.scrollToItem(this.notebook.widgets.indexOf(cell)));
        return element("tr", {}, element("td", {}, jump),
          element("td", { textContent: wasRun(code) ? outputOf(code) : "(not run yet)" }));
      };
      this.list.node.replaceChildren(element("strong", { textContent: "Your predictions in this chapter" }),
        element("table", {}, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows.map(line))));
      if (this.list.parent !== end) end.ready.then(() => { if (!end.isDisposed) end.layout.addWidget(this.list); });
    }
  }

  // Do not change the tab's label: JupyterLab would treat it as a new file name.
  function nameTab({ context, title }) {
    const folder = context.path.split("/").at(-2);
    if (IN_TAB.includes(folder)) title.dataset = { ...title.dataset, "coursekit-folder": folder };
  }

  // JupyterLab shares its modules with extensions: the one version that is loaded.
  const shared = async (scope, name) => (await Object.values(scope[name])[0].get())();

  async function plugin(scope) {
    const [{ INotebookTracker, NotebookActions }, { Widget }] = await Promise.all(
      ["@jupyterlab/notebook", "@lumino/widgets"].map((name) => shared(scope, name)));
    const notebooks = new WeakMap();
    const of = (panel) => {
      if (!notebooks.has(panel)) notebooks.set(panel, new Predictions(panel, NotebookActions, Widget));
      return notebooks.get(panel);
    };
    return {
      id: "coursekit-predictions:plugin",
      autoStart: true,
      requires: [INotebookTracker],
      activate(app, tracker) {
        document.head.append(element("style", { textContent: STYLE }));
        const add = (_, panel) => panel.revealed.then(() => {
          nameTab(panel);
          const predictions = of(panel);
          panel.node.addEventListener("pointerdown", () => { predictions.byMouse = true; }, true);
          panel.node.addEventListener("keydown", () => { predictions.byMouse = false; }, true);
        });
        tracker.forEach((panel) => add(tracker, panel));
        tracker.widgetAdded.connect(add);
        NotebookActions.executed.connect((_, { notebook }) => {
          const panel = tracker.find((each) => each.content === notebook);
          if (panel) of(panel).refresh();
        });
      },
    };
  }

  let scope;
  (window._JUPYTERLAB ||= {})["coursekit-predictions"] = {
    init(given) { scope = given; },
    get: async () => {
      const made = await plugin(scope);
      return () => ({ __esModule: true, default: made });
    },
  };
})();
