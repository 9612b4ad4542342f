"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  root.dataset.theme = prefersDark.matches ? "dark" : "light";

  // Figures take their colours from the page, and are drawn when their part is first shown.
  const PAPER = 940; // pixels between the margins of a landscape page
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const named = (traces) => traces.filter((trace) => trace.showlegend !== false);
  // Names stand at the ends of lines where there is room, else in a legend below the axis.
  const atEnds = (traces, layout, width) =>
    layout.showlegend !== false && width >= 620 && !layout.yaxis2 && named(traces).length > 1 && named(traces).length <= 20 &&
    named(traces).every((trace) => trace.type === "scatter" && trace.mode.includes("lines") && (trace.xaxis || "x") === "x");
  const shortened = (name, most = 34) =>
    (name.length > most ? name.slice(0, Math.ceil(0.62 * most)) + "…" + name.slice(1 - most + Math.ceil(0.62 * most)) : name);
  // Names beside bars leave the bars their room.
  const shortTicks = (traces) => {
    const names = [...new Set(traces.flatMap((trace) => trace.y))];
    return { tickvals: names, ticktext: names.map((name) => shortened(name, 16)) };
  };
  const themed = (layout, traces, width) => {
    const direct = atEnds(traces, layout, width);
    const names = layout.showlegend === false || direct ? 0 : named(traces).length;
    const columns = width < 620 ? 1 : 2;
    const below = names > 1 ? 20 * Math.ceil(names / columns) + 10 : 0;
    const room = direct ? Math.min(274, 38 + 7.2 * Math.max(...named(traces).map((trace) => shortened(trace.name).length))) : 20;
    const axis = { gridcolor: colour("--line"), linecolor: colour("--line"), zerolinecolor: colour("--line"), automargin: true };
    return {
      margin: { l: 60, r: room, t: 20, b: 60 + below },
      legend: {
        orientation: "h", yref: "container", y: 0, yanchor: "bottom", traceorder: "normal", maxheight: below + 60,
        ...(columns === 1 ? { xref: "container", x: 0, entrywidth: width - 60, entrywidthmode: "pixels" }
          : { entrywidth: 0.92 / columns, entrywidthmode: "fraction" }),
      },
      ...layout, ...(direct ? { showlegend: false } : {}),
      height: Math.max((layout.height || 400) + below, direct ? 120 + 16 * named(traces).length : 0), width,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: colour("--text"), size: 13 },
      hoverlabel: { namelength: -1 }, modebar: { bgcolor: "rgba(0,0,0,0)" },
      xaxis: { ...axis, ...layout.xaxis, title: { text: (layout.xaxis || {}).title || "" } },
      yaxis: {
        ...axis, ...layout.yaxis, title: { text: (layout.yaxis || {}).title || "" },
        ...(width < 620 && (layout.yaxis || {}).type === "category" ? shortTicks(traces) : {}),
      },
      ...(layout.yaxis2 ? { yaxis2: { ...axis, ...layout.yaxis2, title: { text: layout.yaxis2.title } } } : {}),
    };
  };
  const config = { displaylogo: false, showSendToCloud: false, plotlyServerURL: "", modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"] };
  // Each line's name beside its last point, moved up or down until no two overlap.
  const nameEnds = (place, traces) => {
    const axis = place._fullLayout.yaxis, height = axis._length, least = 15;
    const ends = named(traces).map((trace) => {
      let last = trace.y.length - 1;
      while (last > 0 && (trace.y[last] === null || trace.x[last] === null)) last -= 1;
      const at = height - axis.d2p(trace.y[last]);
      return { trace, at: Number.isFinite(at) ? Math.min(Math.max(at, 0), height) : 0, mean: trace.y.reduce((a, b) => a + (b || 0), 0) };
    }).sort((a, b) => a.at - b.at || a.mean - b.mean);
    const gap = Math.min(least, height / ends.length);
    ends.forEach((end, i) => { end.to = i ? Math.max(end.at, ends[i - 1].to + gap) : end.at; });
    let top = height;
    for (const end of [...ends].reverse()) { end.to = Math.min(end.to, top); top = end.to - gap; }
    const annotations = ends.map(({ trace, to }) => ({
      text: shortened(trace.name), xref: "paper", x: 1, xanchor: "left", xshift: 22, yref: "paper", y: to / height, yanchor: "middle",
      showarrow: false, align: "left", font: { size: 12, color: colour("--text") },
    }));
    const shapes = ends.map(({ trace, at, to }) => ({
      type: "line", xref: "paper", yref: "paper", x0: 1, x1: 1 + 20 / place._fullLayout.xaxis._length, y0: at / height, y1: to / height,
      line: { color: (trace.line || trace.marker).color, width: 2, dash: (trace.line || {}).dash || "solid" },
    }));
    Plotly.relayout(place, { annotations, shapes });
  };
  const draw = (part, onPaper) => {
    for (const place of part.querySelectorAll(".plot")) {
      const [traces, layout] = data.figures[place.dataset.figure];
      const width = onPaper ? PAPER : place.clientWidth;
      const direct = String(atEnds(traces, layout, width));
      if (place.dataset.direct && place.dataset.direct !== direct) Plotly.purge(place); // or the margin of its legend stays
      place.dataset.direct = direct;
      const shown = width < 620 ? traces.map((trace) => ({ ...trace, name: shortened(trace.name || "") })) : traces;
      Plotly.react(place, shown, themed(layout, traces, width), config);
      if (direct === "true") nameEnds(place, traces);
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
    tab.parentElement.scrollLeft = tab.offsetLeft + tab.offsetWidth / 2 - tab.parentElement.clientWidth / 2;
    history.replaceState(null, "", "#" + tab.id.slice(4));
    draw(panel(tab), false);
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
  const redraw = () => draw(document.querySelector("section:not([hidden])"), false);
  const theme = (name) => { root.dataset.theme = name; redraw(); };
  document.getElementById("theme").addEventListener("click", () => theme(root.dataset.theme === "dark" ? "light" : "dark"));
  prefersDark.addEventListener("change", (event) => theme(event.matches ? "dark" : "light"));
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; redraw(); } });

  // Paper: every part, in light colours, every figure drawn.
  let screenTheme = null;
  addEventListener("beforeprint", () => {
    screenTheme = root.dataset.theme;
    root.dataset.theme = "light";
    draw(document, true);
  });
  addEventListener("afterprint", () => { if (screenTheme) theme(screenTheme); });

  // Tables sort by the button in a title.
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((title, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = title.textContent;
      title.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = title.getAttribute("aria-sort") === "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        title.setAttribute("aria-sort", down ? "descending" : "ascending");
        const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
        const rows = [...table.tBodies[0].rows].sort((a, b) => {
          const [x, y] = [key(a), key(b)], [p, q] = [parseFloat(x), parseFloat(y)];
          return Number.isNaN(p) || Number.isNaN(q) ? x.localeCompare(y) : p - q;
        });
        table.tBodies[0].append(...(down ? rows.reverse() : rows));
      });
    });
  }
  const intervals = document.getElementById("intervals");
  if (intervals) intervals.addEventListener("change", () => document.getElementById("summary").classList.toggle("hints", intervals.checked));

  // The numbers of a figure, made when they are asked for.
  const MOST = 1000;
  const tabulate = (details) => {
    const rows = [];
    for (const trace of data.figures[details.dataset.numbers][0]) {
      if (trace.fill) continue;
      trace.x.forEach((x, i) => rows.push([trace.name, (trace.text || [])[i] || "", x, trace.y[i]]));
    }
    const layout = data.figures[details.dataset.numbers][1];
    const labelled = rows.some((row) => row[1] !== "" && row[1] !== row[0]);
    const titles = ["series", ...(labelled ? ["label"] : []), layout.xaxis.title || "x", layout.yaxis.title || "y"];
    const element = (name, text) => { const made = document.createElement(name); if (text !== undefined) made.textContent = text; return made; };
    const plain = (value) => { const holder = element("textarea"); holder.innerHTML = String(value).replace(/</g, "&lt;"); return holder.value; };
    const table = element("table"), head = table.createTHead().insertRow(), body = table.createTBody();
    for (const title of titles) { const cell = element("th", plain(title)); cell.scope = "col"; head.append(cell); }
    for (const [name, label, x, y] of rows.slice(0, MOST)) {
      const row = body.insertRow(), first = element("th", plain(name));
      first.scope = "row";
      row.append(first);
      for (const value of [...(labelled ? [label] : []), x, y]) {
        const cell = row.insertCell();
        cell.textContent = value === null ? "–" : typeof value === "number" ? String(Number(value.toPrecision(4))) : plain(value);
        if (typeof value === "number") cell.className = "num";
      }
    }
    const box = element("div");
    box.className = "scroll"; box.tabIndex = 0;
    box.setAttribute("role", "region"); box.setAttribute("aria-label", details.querySelector("summary").textContent);
    box.append(table);
    if (rows.length > MOST) box.append(element("p", `The first ${MOST} of ${rows.length} rows.`));
    details.append(box);
  };
  for (const details of document.querySelectorAll(".numbers")) details.addEventListener("toggle", () => tabulate(details), { once: true });

  // A name that is never broken inside a word, a number or an option's name=value: as `pieces` of page.py.
  const inPieces = (cell, text) => {
    cell.className = "name";
    text.split(/(?<=[:,/|\s])(?=\S)|(?<=\w\()(?=\S)/).forEach((piece, i) => {
      if (i) cell.append(document.createElement("wbr"));
      cell.appendChild(document.createElement("span")).textContent = piece;
    });
  };

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
          if (column === 0 || column === 2) inPieces(cell, text); else cell.textContent = text;
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
