"use strict";

// Shows what /console/events tells, and sends orders to /console/faults. Whatever comes from the server is put into the
// page as text, never as HTML: learners choose their names.

const KINDS = {
  rate_limit: "429 storm", quota: "Quota wall", server_error: "Server errors", slow: "Slow", cut_stream: "Cut streams",
};
const COLUMNS = [
  ["Chapter", (one) => one.chapter || "–"],
  ["Passed", (one) => passed(one.passed)],
  ["Requests", (one) => number(one.requests)],
  ["Errors", (one) => errors(one)],
  ["Tokens in", (one) => number(one.prompt_tokens)],
  ["Tokens out", (one) => number(one.completion_tokens)],
  ["Cost", (one) => dollars(one.dollars)],
];
const rows = new Map();
const by = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString("en-US");
const dollars = (text) => "$" + Number(text).toLocaleString("en-US", {minimumFractionDigits: 2, maximumFractionDigits: 4});

function passed(chapters) {
  const total = Object.values(chapters).reduce((sum, count) => sum + count, 0);
  return total ? number(total) : "–";
}

function errors(one) {
  const kinds = Object.entries(one.statuses).filter(([status]) => status !== "200");
  const told = kinds.map(([status, count]) => `${status === "0" ? "dropped" : status} × ${number(count)}`);
  return told.length ? told.join(", ") : "0";
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function element(tag, text = "", more = {}) {
  const made = Object.assign(document.createElement(tag), more);
  made.textContent = text;
  return made;
}

function showTogether(together) {
  for (const cell of document.querySelectorAll("#together dd")) {
    const name = cell.dataset.of;
    const text = name === "dollars" ? dollars(together.dollars)
      : name === "present" ? `${number(together.present)} of ${number(together.learners)}` : number(together[name]);
    put(cell, text);
  }
}

function newRow(one) {
  const row = document.createElement("tr");
  const head = element("th", "", {scope: "row"});
  head.append(element("span", "", {className: "here"}), element("bdi", one.name));
  row.append(head);
  for (const [title] of COLUMNS) {
    const cell = document.createElement("td");
    cell.dataset.title = title;
    row.append(cell);
  }
  by("learners").tBodies[0].append(row);
  by("whom").append(element("option", one.name, {value: one.name}));
  return row;
}

function showLearners(learners) {
  by("nobody").hidden = learners.length > 0;
  by("learners").hidden = learners.length === 0;
  const names = new Set(learners.map((one) => one.name));
  for (const [name, row] of rows) {
    if (names.has(name)) continue;
    row.remove();
    rows.delete(name);
    [...by("whom").options].find((option) => option.value === name)?.remove();
  }
  for (const one of learners) {
    if (!rows.has(one.name)) rows.set(one.name, newRow(one));
    const cells = rows.get(one.name).cells;
    const here = cells[0].firstChild;
    put(here, one.present ? "●" : "○");
    here.title = one.present ? "here" : "away";
    COLUMNS.forEach(([, text], place) => put(cells[place + 1], text(one)));
    cells[2].title = Object.entries(one.passed).map(([chapter, count]) => `${chapter}: ${count}`).join(", ");
    cells[4].classList.toggle("bad", one.errors > 0);
  }
}

function showFaults(faults) {
  const list = by("faults");
  const known = new Map([...list.children].map((item) => [Number(item.dataset.number), item]));
  for (const fault of faults) {
    const item = known.get(fault.number) ?? newFault(fault);
    known.delete(fault.number);
    const left = Math.ceil(fault.seconds_left);
    put(item.querySelector(".left"), `${left} s left`);
  }
  for (const item of known.values()) {
    if (item.contains(document.activeElement)) by("whom").focus();  // where a further Enter does no harm
    item.remove();
  }
  by("calm").hidden = faults.length > 0;
  if (faults.length === 0 && document.activeElement === by("lift-all")) by("whom").focus();
  by("lift-all").hidden = faults.length === 0;
}

function newFault(fault) {
  const item = document.createElement("li");
  item.dataset.number = fault.number;
  const kind = KINDS[fault.fault.kind] ?? fault.fault.kind;
  const whom = element("bdi", fault.learner ?? "everybody");
  const lift = element("button", "Lift", {className: "quiet"});
  lift.setAttribute("aria-label", `Lift ${kind} for ${fault.learner ?? "everybody"}`);
  lift.addEventListener("click", () => order("DELETE", `/console/faults/${fault.number}`, null, `${kind} is lifted.`));
  item.append(element("strong", kind), " for ", whom, " · ", element("span", "", {className: "left"}), lift);
  by("faults").append(item);
  return item;
}

async function order(method, path, body, done) {
  const options = {method, headers: {"content-type": "application/json"}, body: body && JSON.stringify(body)};
  try {
    const answer = await fetch(path, options);
    const told = await answer.json();
    put(by("said"), answer.ok ? done : told.error.message);
  } catch {
    put(by("said"), "The server does not answer. Nothing was changed, as far as this page can tell.");
  }
}

by("inject").addEventListener("submit", (event) => {
  event.preventDefault();
  const {kind, delay} = event.submitter.dataset;
  const fault = delay ? {kind, seconds: Number(delay)} : {kind};  // slow: each event of a stream so much later
  const learner = by("whom").value || null;
  const seconds = Number(by("seconds").value);
  const done = `${KINDS[kind]} for ${learner ?? "everybody"}, ${seconds} s.`;
  order("POST", "/console/faults", {fault, seconds, ...(learner && {learner})}, done);
});
by("lift-all").addEventListener("click", () => order("DELETE", "/console/faults", null, "All faults are lifted."));

function show(told) {
  showTogether(told.together);
  showLearners(told.learners);
  showFaults(told.faults);
}

function watch() {
  const events = new EventSource("/console/events");
  events.onopen = () => put(by("link"), "Live");
  events.onmessage = (event) => show(JSON.parse(event.data));
  events.onerror = () => {
    if (events.readyState === EventSource.CLOSED) {
      put(by("link"), "Logged out, or the server is another one: load this page again.");
    } else {
      put(by("link"), "The server does not answer; trying again …");
    }
  };
}

watch();
