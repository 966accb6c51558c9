// Files that are dropped anywhere on the page.

/** Have `taken(files)` called with what is dropped; text that is dragged about is left alone. */
export function onDrop(taken) {
  const root = document.documentElement;
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  const mark = (over) => root.classList.toggle("dropping", over);

  window.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault(); // or the browser opens the file in the place of the page
    event.dataTransfer.dropEffect = "copy";
    mark(true);
  });
  // Inside the window, what is left is something else within it.
  window.addEventListener("dragleave", (event) => event.relatedTarget || mark(false));
  window.addEventListener("drop", (event) => {
    mark(false);
    if (!hasFiles(event)) return;
    event.preventDefault();
    taken([...event.dataTransfer.files]);
  });
}
