"use strict";
// The gallery: what is shown depends on the epoch, on what the real picture is compared
// with, and on how much of that covers it. Without this script the last epoch is shown.
const gallery = document.querySelector("#gallery");
const epoch = document.querySelector("#epoch");
const cover = document.querySelector("#cover");
const view = document.querySelector("#view");

function update() {
  const place = Number(epoch.value);
  for (const element of gallery.querySelectorAll("[data-from]")) {
    const { from, until, view: own } = element.dataset;
    const isNow = Number(from) <= place && place < Number(until);
    element.hidden = !isNow || (own !== undefined && own !== view.value);
  }
  gallery.style.setProperty("--cover", `${cover.value}%`);
  epoch.setAttribute("aria-valuetext", document.querySelector("#epochs").innerText);
  cover.setAttribute("aria-valuetext", `${cover.value} % translated`);
}

if (gallery) {
  for (const control of [epoch, cover, view]) control.addEventListener("input", update);
  update();
}
