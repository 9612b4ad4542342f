"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  root.dataset.theme = prefersDark.matches ? "dark" : "light";

  // Figures take their colours from the page, and are drawn when their part is first shown.
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const themed = (layout, traces) => {
    // The legend stands below the axis, two names a line, and the figure grows with it.
    const names = layout.showlegend === false ? 0 : traces.filter((trace) => trace.showlegend !== false).length;
    const below = names > 1 ? 20 * Math.ceil(names / 2) + 10 : 0;
    const axis = { gridcolor: colour("--line"), linecolor: colour("--line"), zerolinecolor: colour("--line"), automargin: true };
    return {
      margin: { l: 60, r: 20, t: 20, b: 60 + below }, legend: { orientation: "h", yref: "container", y: 0, yanchor: "bottom", entrywidth: 0.46, entrywidthmode: "fraction" },
      ...layout, height: (layout.height || 400) + below,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: colour("--text"), size: 13 },
      hoverlabel: { namelength: -1 }, modebar: { bgcolor: "rgba(0,0,0,0)" },
      xaxis: { ...axis, ...layout.xaxis, title: { text: (layout.xaxis || {}).title || "" } },
      yaxis: { ...axis, ...layout.yaxis, title: { text: (layout.yaxis || {}).title || "" } },
      ...(layout.yaxis2 ? { yaxis2: { ...axis, ...layout.yaxis2, title: { text: layout.yaxis2.title } } } : {}),
    };
  };
  const draw = (part) => {
    for (const place of part.querySelectorAll(".plot")) {
      const [traces, layout] = data.figures[place.dataset.figure];
      Plotly.react(place, traces, themed(layout, traces), { responsive: true, displaylogo: false });
    }
  };

  // Tabs: click, arrow keys, Home and End; the address remembers which.
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const panel = (tab) => document.getElementById(tab.getAttribute("aria-controls"));
  const show = (tab, focus) => {
    for (const other of tabs) {
      const on = other === tab;
      other.setAttribute("aria-selected", String(on));
      other.tabIndex = on ? 0 : -1;
      panel(other).hidden = !on;
    }
    if (focus) tab.focus();
    history.replaceState(null, "", "#" + tab.id.slice(4));
    draw(panel(tab));
  };
  tabs.forEach((tab, i) => {
    tab.addEventListener("click", () => show(tab, false));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowRight: i + 1, ArrowLeft: i - 1 + tabs.length, Home: 0, End: tabs.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      show(tabs[to % tabs.length], true);
    });
  });
  const redraw = () => draw(document.querySelector("section:not([hidden])"));
  const theme = (name) => { root.dataset.theme = name; redraw(); };
  document.getElementById("theme").addEventListener("click", () => theme(root.dataset.theme === "dark" ? "light" : "dark"));
  prefersDark.addEventListener("change", (event) => theme(event.matches ? "dark" : "light"));

  // Tables sort by a click or Enter on a title.
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((title, column) => {
      title.tabIndex = 0;
      const sort = () => {
        const down = title.getAttribute("aria-sort") === "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        title.setAttribute("aria-sort", down ? "descending" : "ascending");
        const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
        const rows = [...table.tBodies[0].rows].sort((a, b) => {
          const [x, y] = [key(a), key(b)], [p, q] = [parseFloat(x), parseFloat(y)];
          return Number.isNaN(p) || Number.isNaN(q) ? x.localeCompare(y) : p - q;
        });
        table.tBodies[0].append(...(down ? rows.reverse() : rows));
      };
      title.addEventListener("click", sort);
      title.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
    });
  }

  // All runs: filtered in place, a page at a time.
  const drillDown = (runs) => {
    const total = runs.neuron.length, size = 100;
    const form = document.getElementById("filters"), body = document.querySelector("#all-runs tbody");
    let chosen = [], start = 0;
    for (const name of ["instance", "label", "status"]) {
      runs[name + "s"].forEach((text, i) => form.elements[name].append(new Option(text, i)));
    }
    const shown = (value) => (value === null ? "–" : String(value));
    const list = () => {
      const rows = chosen.slice(start, start + size).map((i) => {
        const row = document.createElement("tr");
        const cells = [runs.instances[runs.instance[i]], runs.neuron[i], runs.labels[runs.label[i]], shown(runs.seed[i]),
          runs.statuss[runs.status[i]], shown(runs.gain[i]), shown(runs.gap[i]), shown(runs.distance[i]), shown(runs.cosine[i]),
          shown(runs.reads[i]), shown(runs.seconds[i])];
        cells.forEach((text, column) => {
          const cell = row.insertCell();
          cell.textContent = text;
          if (column === 1 || column === 3 || column > 4) cell.className = "num";
        });
        return row;
      });
      body.replaceChildren(...rows);
      const last = Math.min(start + size, chosen.length);
      document.getElementById("count").textContent =
        `${chosen.length} of ${total} runs` + (chosen.length ? `, ${start + 1} to ${last} shown` : "");
      document.getElementById("back").disabled = start === 0;
      document.getElementById("more").disabled = last >= chosen.length;
    };
    const filter = () => {
      const wanted = ["instance", "label", "status", "neuron"]
        .filter((name) => form.elements[name].value !== "")
        .map((name) => [runs[name], Number(form.elements[name].value)]);
      chosen = [];
      for (let i = 0; i < total; i++) if (wanted.every(([column, value]) => column[i] === value)) chosen.push(i);
      start = 0;
      list();
      describe();
    };
    // One neuron chosen: what is known of it.
    const describe = () => {
      const one = form.elements.instance.value !== "" && form.elements.neuron.value !== "" && chosen.length;
      const p = one ? runs.problem[chosen[0]] : 0, about = data.neurons;
      document.getElementById("neuron").hidden = !one;
      document.getElementById("neuron").textContent = !one ? ""
        : (about.n[p] ? `${about.n[p]} rows in ${about.groups[p]} groups, ${about.d[p]} weights in ${about.classes[p]} column classes `
          + `(${about.weight_bits[p]} bits). ` : `${about.d[p]} variables. `)
        + `Best gain ${shown(about.best[p])}, ` + (about.proved[p] ? "proved optimal." : `bound ${shown(about.bound[p])}, not proved.`);
    };
    for (const kind of ["input", "change"]) form.addEventListener(kind, filter);
    form.addEventListener("submit", (event) => event.preventDefault());
    document.getElementById("back").addEventListener("click", () => { start = Math.max(0, start - size); list(); });
    document.getElementById("more").addEventListener("click", () => { start += size; list(); });
    filter();
  };
  if (data.runs) drillDown(data.runs);

  show(tabs.find((tab) => "#" + tab.id.slice(4) === location.hash) || tabs[0], false);
})();
