// In a browser, the kernel must be downloaded. A notification says so while a notebook waits for the kernel.
// JupyterLab loads this file from a prebuilt extension. It is written by hand: a module container with one module.
(() => {
  "use strict";

  const LOADING = "Python is loading. The first visit takes up to a minute; later visits are faster. You can continue reading.";
  const FAILED = "Python could not be loaded. Check your connection, then reload this page.";

  // `sessionContext` belongs to a notebook that was just opened.
  async function announce(commands, sessionContext) {
    const id = await commands.execute("apputils:notify", {
      message: LOADING, type: "in-progress", options: { autoClose: false },
    });
    try {
      await sessionContext.ready;
      await sessionContext.session.kernel.info;
      await commands.execute("apputils:dismiss-notification", { id });
    } catch {
      await commands.execute("apputils:update-notification", { id, message: FAILED, type: "error" });
    }
  }

  function activate(app) {
    app.docRegistry.addWidgetExtension("Notebook", {
      createNew: (panel) => { announce(app.commands, panel.sessionContext); },
    });
  }

  const plugin = { id: "coursekit-loading:plugin", autoStart: true, activate };
  (window._JUPYTERLAB ||= {})["coursekit-loading"] = {
    init() {},
    get: async () => () => ({ __esModule: true, default: plugin }),
  };
})();
