"use strict";
// The gallery: the real picture left of an edge, and right of it what became of it after
// an epoch, in one of three views. Without this script the last epoch is shown.
const gallery = document.querySelector("#gallery");
const epoch = document.querySelector("#epoch");
const edge = document.querySelector("#edge");
const view = document.querySelector("#view");

function update() {
  const place = Number(epoch.value);
  for (const element of gallery.querySelectorAll("[data-from]")) {
    const { from, until, view: own } = element.dataset;
    const isNow = Number(from) <= place && place < Number(until);
    element.hidden = !isNow || (own !== undefined && own !== view.value);
  }
  gallery.style.setProperty("--edge", `${edge.value}%`);
  epoch.setAttribute("aria-valuetext", document.querySelector("#epochs").innerText);
  edge.setAttribute("aria-valuetext", `${edge.value} % before`);
}

if (gallery) {
  for (const control of [epoch, edge, view]) control.addEventListener("input", update);
  update();
}
