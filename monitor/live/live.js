"use strict";

// The page shows what /api/live says and computes nothing itself; every text arrives in the page's language.
const EVERY_MS = 2000;
const GIVE_UP_MS = 8000;
const page = document.documentElement;
const words = document.body.dataset;
const at = (id) => document.getElementById(id);

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null));
  return made;
}

function put(id, children) {
  at(id).replaceChildren(...children);
}

function orNone(children) {
  return children.length ? children : [element("li", "none", words.none)];
}

function tile(figure) {
  const made = element(
    "li",
    `tile ${figure.kind}`,
    element("span", "label", figure.label),
    element("b", "figure", figure.value),
    figure.note ? element("span", "quiet", figure.note) : null,
  );
  if (figure.meaning) made.title = figure.meaning;
  return made;
}

function finding(found) {
  const head = element(
    "p",
    "head",
    element("span", `badge ${found.severity}`, found.severity_text),
    element("strong", "", found.rule),
    found.state_text ? element("span", "badge state", found.state_text) : null,
    element("time", "quiet", found.at),
  );
  head.lastChild.dateTime = found.at_iso;
  return element("li", "", head, element("p", "", found.says), element("p", "quiet", found.about));
}

function ticket(cause) {
  return element(
    "li",
    "",
    element("p", "head", element("span", "badge data", cause.count), element("strong", "", cause.title)),
    element("p", "", cause.says),
    element("p", "quiet", cause.about),
  );
}

function source(known) {
  return element("li", `chip ${known.state}`, element("strong", "", known.name), element("span", "quiet", known.last));
}

// Written only when they change: an alert is spoken by screen readers each time it is put there.
let noticed = "";
function notices(found) {
  const now = JSON.stringify(found);
  if (now === noticed) return;
  noticed = now;
  put("notices", found.map((notice) => element("p", notice.kind, notice.text)));
}

function show(board) {
  at("place").textContent = board.name;
  at("at").textContent = board.at;
  at("at").dateTime = board.at_iso;
  notices(board.notices);
  at("coverage-share").textContent = board.coverage.share;
  at("coverage-count").textContent = board.coverage.count;
  at("coverage-bar").querySelector("rect").setAttribute("width", board.coverage.percent);
  put("sources", orNone(board.coverage.sources.map(source)));
  at("open").textContent = board.open;
  put("lights", board.lights.map(tile));
  put("today", board.today.map(tile));
  put("findings", orNone(board.findings.map(finding)));
  put("tickets", orNone(board.tickets.map(ticket)));
}

function connected(well) {
  at("connection").className = well ? "live" : "lost";
  const said = well ? words.live : words.lost;
  // Written only when it changes, so that a screen reader does not speak every two seconds.
  if (at("connection").textContent !== said) at("connection").textContent = said;
  page.classList.toggle("stale", !well);
}

async function refresh() {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), GIVE_UP_MS);
  try {
    const answer = await fetch(`api/live?lang=${page.lang}`, { cache: "no-store", signal: patience.signal });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    show(await answer.json());
    connected(true);
  } catch (error) {
    console.warn("no figures:", error);
    connected(false);
  } finally {
    clearTimeout(timer);
    setTimeout(refresh, EVERY_MS);
  }
}

refresh();
