"use strict";
{
  const PERIOD = 2000; // milliseconds
  const WINDOW = 60; // seconds that rates and latencies are of
  const DRAWN = 60; // points of the drawing
  const NOTHING = "–";

  const byId = (id) => document.getElementById(id);
  const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

  const rateText = (value) =>
    value === 0 ? "0" : value < 1 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : grouped.format(value);

  const inThreeDigits = (value) => (value < 100 ? value.toFixed(value < 10 ? 2 : 1) : grouped.format(value));

  const secondsText = (value) => {
    if (value === null) return NOTHING;
    return value < 1 ? `${inThreeDigits(value * 1000)} ms` : `${inThreeDigits(value)} s`;
  };

  const percentText = (share) => `${(share * 100).toFixed(share > 0 && share < 0.01 ? 2 : 1)} %`;

  /** As `percentile` in figures.py. */
  const percentile = (buckets, share) => {
    const total = buckets.length ? buckets[buckets.length - 1][1] : 0;
    if (total <= 0) return null;
    const wanted = share * total;
    let lower = 0;
    let before = 0;
    for (const [upper, count] of buckets) {
      if (count >= wanted && count > before) {
        return upper === null ? lower : lower + ((upper - lower) * Math.max(wanted - before, 0)) / (count - before);
      }
      if (upper !== null) lower = upper;
      before = count;
    }
    return lower;
  };

  /** What came to an RPC between two looks at it; `before` is undefined for one that was not called then. */
  const between = (now, before) => ({
    handled: now.handled - (before?.handled ?? 0),
    errors: now.errors - (before?.errors ?? 0),
    seconds: now.seconds - (before?.seconds ?? 0),
    buckets: now.buckets.map(([bound, count], at) => [bound, count - (before?.buckets[at]?.[1] ?? 0)]),
  });

  const fill = (element, cell) => {
    const { text, tone, share, hint } = typeof cell === "string" ? { text: cell } : cell;
    if (typeof share === "number") {
      const meter = document.createElement("meter");
      meter.value = share;
      meter.textContent = text;
      element.replaceChildren(meter);
    } else {
      element.textContent = text;
    }
    if (tone) element.dataset.tone = tone;
    else delete element.dataset.tone;
    if (hint) element.title = hint;
    else element.removeAttribute("title");
  };

  const addRow = (table) => {
    const row = table.tBodies[0].insertRow();
    [...table.tHead.rows[0].cells].forEach((head, at) => {
      const cell = document.createElement(at ? "td" : "th");
      if (!at) cell.scope = "row";
      cell.className = head.className;
      row.append(cell);
    });
    return row;
  };

  const showTable = (name, rows) => {
    const section = byId(name);
    const table = section.querySelector("table");
    const body = table.tBodies[0];
    while (body.rows.length > rows.length) body.deleteRow(-1);
    rows.forEach((cells, at) => {
      const row = body.rows[at] ?? addRow(table);
      cells.forEach((cell, column) => fill(row.cells[column], cell));
    });
    table.hidden = !rows.length;
    section.querySelector(".empty").hidden = rows.length > 0;
  };

  const showCard = ({ name, value, note, tone }) => {
    const card = byId(`card-${name}`);
    card.dataset.tone = tone;
    card.querySelector(".value").textContent = value;
    card.querySelector(".note").textContent = note;
  };

  const looks = [];
  const rates = [];

  const remember = (data) => {
    const last = looks[looks.length - 1];
    if (last && data.taken === last.taken) return;
    const rpcs = new Map(data.rpcs.map((rpc) => [rpc.method, rpc]));
    const fewer = (rpc) => (rpcs.get(rpc.method)?.handled ?? 0) < rpc.handled;
    // The daemon has started anew, or its clock was set back.
    if (last && (data.taken < last.taken || [...last.rpcs.values()].some(fewer))) looks.length = 0;
    else if (last) rates.push(between(data.overall, last.overall).handled / (data.taken - last.taken));
    if (rates.length > DRAWN) rates.shift();
    looks.push({ taken: data.taken, overall: data.overall, rpcs });
    while (looks.length > 2 && looks[1].taken <= data.taken - WINDOW) looks.shift();
  };

  /** Puts what came lately in place of what came since the start. */
  const overlay = (data) => {
    const first = looks[0];
    const period = data.taken - first.taken;
    if (period <= 0) return;
    const table = data.page.tables.rpcs;
    const columns = [...byId("rpcs").querySelectorAll("thead th")].map((head) => head.dataset.name);
    data.rpcs.forEach((rpc, at) => {
      const lately = between(rpc, first.rpcs.get(rpc.method));
      const put = (name, cell) => {
        table[at][columns.indexOf(name)] = cell;
      };
      put("calls", grouped.format(lately.handled));
      put("errors", { ...table[at][columns.indexOf("errors")], text: grouped.format(lately.errors), tone: lately.errors ? "bad" : "quiet" });
      put("rate", rateText(lately.handled / period));
      put("mean", secondsText(lately.handled && lately.buckets.length ? lately.seconds / lately.handled : null));
      for (const share of [50, 95, 99]) put(`p${share}`, secondsText(percentile(lately.buckets, share / 100)));
    });
    const total = between(data.overall, first.overall);
    const within = (share) => secondsText(percentile(total.buckets, share));
    const cards = Object.fromEntries(data.page.cards.map((card) => [card.name, card]));
    cards.rate.value = rateText(total.handled / period);
    cards.latency.value = within(0.95);
    cards.latency.note = `50 % ${within(0.5)}, 99 % ${within(0.99)}`;
    cards.errors.value = total.handled ? percentText(total.errors / total.handled) : NOTHING;
    cards.errors.note = `${grouped.format(total.errors)} of ${grouped.format(total.handled)} calls`;
    cards.errors.tone = total.errors ? "bad" : "";
    document.querySelectorAll(".period").forEach((span) => {
      span.textContent = `in the last ${Math.max(Math.round(period), 1)} s`;
    });
  };

  const draw = () => {
    const highest = Math.max(...rates, 1e-9);
    const points = rates.map((rate, at) => `${100 - ((rates.length - 1 - at) * 100) / (DRAWN - 1)},${100 - (rate / highest) * 96}`);
    document.querySelector("#card-rate polyline").setAttribute("points", points.join(" "));
  };

  const show = (data) => {
    remember(data);
    overlay(data);
    data.page.cards.forEach(showCard);
    for (const [name, rows] of Object.entries(data.page.tables)) showTable(name, rows);
    const taken = new Date(data.taken * 1000).toISOString();
    byId("uptime").textContent = data.page.uptime;
    byId("taken").dateTime = taken;
    byId("taken").textContent = `${taken.slice(11, 19)} UTC`;
    draw();
  };

  const say = (text) => {
    const state = byId("state");
    if (state.textContent !== text) state.textContent = text;
    document.body.classList.toggle("stale", text !== "");
  };

  const poll = async () => {
    try {
      if (!document.hidden) {
        const answer = await fetch("status.json", { cache: "no-store", signal: AbortSignal.timeout(5 * PERIOD) });
        if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
        show(await answer.json());
        say("");
      }
    } catch (error) {
      say(`The daemon does not answer (${error.message}); these figures are old.`);
    }
    setTimeout(poll, PERIOD);
  };

  poll();
}
