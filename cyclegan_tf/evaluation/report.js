"use strict";
// The gallery: the real picture left of an edge, and right of it what became of it after
// an epoch, in one of three views. Without this script the last epoch is shown.
const gallery = document.querySelector("#gallery");
const [epoch, edge, view] = gallery?.querySelectorAll("input, select") ?? [];

function update() {
  const chosen = Number(epoch.dataset.epochs.split(" ")[epoch.value]);
  for (const figure of gallery.querySelectorAll("figure")) {
    const elements = [...figure.querySelectorAll("[data-epoch]")];
    // A run that has no picture of an epoch shows its latest one before it.
    const own = elements.map((element) => Number(element.dataset.epoch));
    const now = Math.max(Math.min(...own), ...own.filter((number) => number <= chosen));
    for (const element of elements) {
      const { epoch: number, view: kind } = element.dataset;
      element.hidden = Number(number) !== now || (kind ?? view.value) !== view.value;
    }
  }
  gallery.style.setProperty("--edge", `${edge.value}%`);
  document.querySelector("#shown").textContent = chosen;
}

if (gallery) {
  gallery.addEventListener("input", update);
  update();
}
