// The pages of a PDF as pictures. pdf.js is loaded when the first PDF comes.

const FOLDER = new URL("../vendor/pdfjs/", import.meta.url);
const MOST_PAGES = 20;
const LONGEST_SIDE = 1600; // pixels: what a picture of the largest budget is reduced to anyway

let library = null;

function load() {
  library ??= import("../vendor/pdfjs/pdf.min.mjs").then((module) => {
    module.GlobalWorkerOptions.workerSrc = new URL("pdf.worker.min.mjs", FOLDER).href;
    return module;
  });
  return library;
}

/**
 * @param {Blob} file
 * @returns {Promise<{pages: Blob[], total: number}>} the first pages as PNG, and how many there are
 */
export async function pagesOf(file) {
  const { getDocument } = await load();
  const data = new Uint8Array(await file.arrayBuffer());
  // WebAssembly is not allowed on this page, so scans are decoded by the plain scripts of the same codecs.
  const task = getDocument({
    data,
    useWasm: false,
    wasmUrl: new URL("wasm/", FOLDER).href,
    isEvalSupported: false,
  });
  const opened = await task.promise;
  try {
    const pages = [];
    for (let index = 1; index <= Math.min(opened.numPages, MOST_PAGES); index += 1) {
      pages.push(await draw(await opened.getPage(index)));
    }
    return { pages, total: opened.numPages };
  } finally {
    await task.destroy();
  }
}

async function draw(page) {
  const natural = page.getViewport({ scale: 1 });
  const viewport = page.getViewport({ scale: LONGEST_SIDE / Math.max(natural.width, natural.height) });
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil(viewport.width);
  canvas.height = Math.ceil(viewport.height);
  await page.render({ canvas, viewport, background: "white" }).promise;
  page.cleanup();
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
