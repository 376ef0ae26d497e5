"use strict";

// Tables: a column's button sorts by it, and turns the order round when it already does.
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const now = head.getAttribute("aria-sort");
    const first = head.dataset.better === "higher" ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = now === first ? other : first;
    heads.forEach((each) => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
    const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
    const size = head.dataset.better === "zero" ? Math.abs : Number;
    const number = (row) => (value(row) === "" ? NaN : size(value(row)));
    const rows = [...table.tBodies[0].rows];
    const numeric = rows.some((row) => !Number.isNaN(number(row)));
    const sign = order === "ascending" ? 1 : -1;
    rows.sort((one, two) => {
      if (!numeric) return sign * value(one).localeCompare(value(two));
      const [a, b] = [number(one), number(two)];
      if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
      return sign * (a - b);
    });
    table.tBodies[0].append(...rows);
  }));
}

// Choices: of the plot's metric, and of the system whose clips are listed.
const metric = document.getElementById("metric");
const showPlot = () => {
  for (const plot of document.querySelectorAll("[data-metric]")) plot.hidden = plot.dataset.metric !== metric.value;
};
metric.addEventListener("change", showPlot);
showPlot();

const system = document.getElementById("system");
const showRows = () => {
  for (const table of document.querySelectorAll("#clips table")) table.classList.toggle("one-system", system.value !== "");
  for (const row of document.querySelectorAll("#clips tbody tr")) {
    row.hidden = system.value !== "" && row.cells[1].textContent !== system.value;
  }
};
system.addEventListener("change", showRows);
showRows();

const figures = document.getElementById("figures");
const showFigures = () => {
  for (const part of document.querySelectorAll("[data-figures]")) part.hidden = part.dataset.figures !== figures.value;
};
figures.addEventListener("change", showFigures);
showFigures();

// Tables wider than the screen: said below, and a shade at the edge until the last column is in sight.
for (const frame of document.querySelectorAll(".frame")) {
  const [scroll, hint] = [frame.querySelector(".scroll"), frame.querySelector(".beyond")];
  const show = () => {
    hint.hidden = scroll.scrollWidth <= scroll.clientWidth + 1;
    frame.classList.toggle("goes-on", scroll.scrollLeft + scroll.clientWidth < scroll.scrollWidth - 1);
  };
  scroll.addEventListener("scroll", show);
  const seen = new ResizeObserver(show);
  seen.observe(scroll);
  seen.observe(scroll.firstElementChild);
}

// Players: one at a time, a line through the picture where it plays, a click there to play from it.
for (const clip of document.querySelectorAll("#listen details")) clip.addEventListener("toggle", () => {
  for (const player of clip.querySelectorAll("audio")) if (clip.open) player.preload = "metadata"; // for its length
});
const players = [...document.querySelectorAll("audio")];
for (const player of players) {
  const mel = player.closest(".panel").querySelector(".mel");
  const head = mel.querySelector(".head");
  const seconds = Number(mel.dataset.seconds);
  const follow = () => {
    head.style.display = "block";
    head.style.left = `${100 * Math.min(1, player.currentTime / seconds)}%`;
    if (!player.paused && !player.ended) requestAnimationFrame(follow);
  };
  player.addEventListener("play", () => {
    for (const other of players) if (other !== player) other.pause();
    follow();
  });
  player.addEventListener("seeked", follow);
  player.addEventListener("ended", () => { head.style.display = "none"; });
  mel.addEventListener("click", (event) => {
    const box = mel.getBoundingClientRect();
    const start = () => { player.currentTime = seconds * (event.clientX - box.left) / box.width; };
    if (player.readyState) start();
    else player.addEventListener("loadedmetadata", start, { once: true });
    player.play();
  });
}
