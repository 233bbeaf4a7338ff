"use strict";
// The slider shows the samples of another epoch; without this script, of the last.
const slider = document.querySelector("#epoch");

slider?.addEventListener("input", () => {
  const chosen = Number(slider.dataset.epochs.split(" ")[slider.value]);
  document.querySelector("#shown").textContent = chosen;
  for (const figure of document.querySelectorAll(".sheet")) {
    const sheets = [...figure.querySelectorAll("img")];
    // A run that has none of an epoch shows its latest one before it.
    const own = sheets.map((sheet) => Number(sheet.dataset.epoch));
    const now = Math.max(own[0], ...own.filter((number) => number <= chosen));
    for (const sheet of sheets) sheet.hidden = Number(sheet.dataset.epoch) !== now;
    figure.querySelector(".epoch").textContent = now;
  }
});
