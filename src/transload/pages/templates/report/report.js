// Sorts by a click on a head, filters by words, and puts copy buttons beside digests and commands.
"use strict";
(() => {
  const button = (label, text, name) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "copy";
    made.dataset.copy = text;
    made.textContent = label;
    made.setAttribute("aria-label", name);
    return made;
  };
  for (const digest of document.querySelectorAll(".digest")) {
    if (digest.textContent) digest.after(" ", button("copy", digest.textContent, `copy ${digest.textContent}`));
  }
  for (const command of document.querySelectorAll("pre.copied")) {
    command.after(button("copy the command", command.textContent, "copy the command"));
  }
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.sort === undefined ? cell.textContent.trim() : Number(cell.dataset.sort);
  };
  const order = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));
  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    for (const [column, head] of [...table.tHead.rows[0].cells].entries()) {
      const made = document.createElement("button");
      made.type = "button";
      made.textContent = head.textContent;
      head.replaceChildren(made);
      made.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...body.rows].map((row) => [value(row, column), row]);
        rows.sort((a, b) => (down ? order(b[0], a[0]) : order(a[0], b[0])));
        body.append(...rows.map((pair) => pair[1]));
      });
    }
    const section = table.closest("section");
    const filter = section.querySelector("input.filter");
    const shown = section.querySelector(".shown");
    filter.addEventListener("input", () => {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      for (const row of body.rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        count += row.hidden ? 0 : 1;
      }
      shown.textContent = words.length ? `${count} of ${body.rows.length}` : "";
    });
  }
})();
