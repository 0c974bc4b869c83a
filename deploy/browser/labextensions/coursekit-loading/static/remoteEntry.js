// In a browser the kernel is a download: a notification says so while a notebook waits for it.
//
// This file is what JupyterLab loads of a prebuilt extension, written by hand: a module container of one module.
(() => {
  "use strict";

  const LOADING = "Python is loading. The first visit takes up to a minute; later ones are faster. You can read on.";
  const FAILED = "Python could not be loaded. Check your connection, then reload this page.";

  // `sessionContext` is that of a notebook that was just opened.
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
