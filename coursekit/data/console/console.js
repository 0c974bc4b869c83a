"use strict";

// Shows the events from /console/events, and sends orders to /console/faults. Everything from the server is added to the
// page as text, never as HTML, because learners choose their own names.

const KINDS = Object.fromEntries(
  [...document.querySelectorAll("#inject [data-kind]")].map((button) => [button.dataset.kind, button.textContent]),
);
const SIGNS = {hand: "▲", errors: "✗", check: "?", habit: "!"};
const COLUMNS = [
  ["Needs help because", null],
  ["Last request", (one) => ago(one.minutes)],
  ["Chapter", (one) => one.chapter || "–"],
  ["Passed (reported)", (one) => passed(one.passed)],
  ["Requests", (one) => number(one.requests)],
  ["Errors", (one) => errors(one)],
  ["Tokens in / out", (one) => `${number(one.prompt_tokens)} / ${number(one.completion_tokens)}`],
  ["Cost", (one) => dollars(one.dollars)],
];
const STUCK = 200;  // with this need or more, a learner is stuck: failed checks, failed requests, a raised hand
const rows = new Map();
let inClass = true;
const by = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString("en-US");
const dollars = (text) => "$" + Number(text).toLocaleString("en-US", {minimumFractionDigits: 2, maximumFractionDigits: 4});

function ago(minutes) {
  if (minutes === null) return "none yet";
  return minutes === 0 ? "just now" : `${number(minutes)} min ago`;
}

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
  const last = document.createElement("td");
  const button = element("button", "Change", {className: "quiet", hidden: !inClass});
  button.setAttribute("aria-label", `Change ${one.name}`);
  button.addEventListener("click", () => openChange(one.name));
  last.append(button);
  row.append(last);
  by("learners").tBodies[0].append(row);
  by("whom").append(element("option", one.name, {value: one.name}));
  return row;
}

function showReasons(cell, reasons) {
  const text = reasons.map((reason) => `${SIGNS[reason.kind]} ${reason.text}`);
  if (cell.dataset.shown === text.join("\n")) return;
  cell.dataset.shown = text.join("\n");
  const lines = text.map((line, place) => element("div", line, {className: `reason ${reasons[place].kind}`}));
  cell.replaceChildren(...(lines.length ? lines : [element("span", "–", {className: "calm"})]));
}

function showNeed(learners) {
  const stuck = learners.filter((one) => one.need >= STUCK).length;
  const looked = learners.filter((one) => one.need > 0 && one.need < STUCK).length;
  let text = "No one has joined yet.";
  if (learners.length) text = stuck ? `${stuck} of ${learners.length} need you` : "Nobody is stuck";
  if (looked) text += `, ${looked} ${looked === 1 ? "has a program" : "have programs"} with a bad habit`;
  put(by("need-count"), learners.length ? `${text}.` : text);
  by("need-count").classList.toggle("alarm", stuck > 0);
}

function showLearners(learners) {
  showNeed(learners);
  by("learners").hidden = learners.length === 0;
  by("clear").hidden = !inClass || learners.every((one) => one.requests > 0);
  const names = new Set(learners.map((one) => one.name));
  for (const [name, row] of rows) {
    if (names.has(name)) continue;
    row.remove();
    rows.delete(name);
    [...by("whom").options].find((option) => option.value === name)?.remove();
  }
  for (const one of learners) {
    if (!rows.has(one.name)) rows.set(one.name, newRow(one));
    const row = rows.get(one.name);
    const here = row.cells[0].firstChild;
    put(here, one.present ? "●" : "○");
    here.title = one.present ? "here" : "away";
    row.classList.toggle("stuck", one.need >= STUCK);
    row.classList.toggle("look", one.need > 0 && one.need < STUCK);
    COLUMNS.forEach(([, text], place) => text && put(row.cells[place + 1], text(one)));
    showReasons(row.cells[1], one.reasons);
    row.cells[4].title = Object.entries(one.passed).map(([chapter, count]) => `${chapter}: ${count}`).join(", ");  // as reported by the learner's machine
    row.cells[6].classList.toggle("bad", one.errors > 0);
    row.cells[6].title = one.last_error && `last: ${one.last_error}`;
  }
  sortRows(learners.map((one) => rows.get(one.name)));
}

// Learners who need help are at the top. Rows stay in place while they have the focus or the pointer, so that no click misses.
function sortRows(order) {
  const body = by("learners").tBodies[0];
  if (body.contains(document.activeElement) || body.matches(":hover")) return;
  order.forEach((row, place) => {
    if (body.rows[place] !== row) body.insertBefore(row, body.rows[place] ?? null);
  });
}

function showVotes(votes) {
  by("votes").hidden = Object.keys(votes).length === 0;
  const lines = Object.entries(votes).map(([place, options]) => {
    const [chapter, question] = place.split("/");
    const total = Object.values(options).reduce((sum, count) => sum + count, 0);
    const told = Object.entries(options).map(([option, count]) => `${"abcdefghij"[option] ?? option}: ${count}`);
    return `${chapter}, question ${question}: ${told.join(" · ")} (of ${total})`;
  });
  const list = by("votes").querySelector("ul");
  if (list.dataset.shown === lines.join("\n")) return;
  list.dataset.shown = lines.join("\n");
  list.replaceChildren(...lines.map((line) => element("li", line)));
}

let changing = "";

function openChange(name) {
  changing = name;
  const dialog = by("change");
  put(dialog.querySelector("bdi"), name);
  put(by("change-said"), "");
  by("rename").querySelector("input").value = name;
  const others = [...rows.keys()].filter((other) => other !== name);
  by("merge").querySelector("select").replaceChildren(...others.map((other) => element("option", other, {value: other})));
  by("merge").hidden = others.length === 0;
  dialog.showModal();
}

async function change(what, to) {
  const told = await send("POST", "/console/roll", {do: what, learner: changing, ...(to && {to})});
  put(by(told.ok ? "done" : "change-said"), told.text);
  if (told.ok) by("change").close();
}

by("rename").addEventListener("submit", (event) => {
  event.preventDefault();
  change("rename", by("rename").querySelector("input").value);
});
by("merge").addEventListener("submit", (event) => {
  event.preventDefault();
  change("merge", by("merge").querySelector("select").value);
});
by("remove").addEventListener("click", () => change("remove"));
by("lower").addEventListener("click", () => change("lower_hand"));
by("clear").addEventListener("click", async () => put(by("done"), (await send("POST", "/console/roll", {do: "clear"})).text));

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
    if (item.contains(document.activeElement)) by("whom").focus();  // where pressing Enter again does no harm
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
  const lift = element("button", "Stop", {className: "quiet"});
  lift.setAttribute("aria-label", `Stop ${kind} for ${fault.learner ?? "everybody"}`);
  lift.addEventListener("click", () => order("DELETE", `/console/faults/${fault.number}`, null, `${kind} stopped.`));
  item.append(element("strong", kind), " for ", whom, " · ", element("span", "", {className: "left"}), lift);
  by("faults").append(item);
  return item;
}

async function send(method, path, body) {
  const options = {method, headers: {"content-type": "application/json"}, body: body && JSON.stringify(body)};
  try {
    const answer = await fetch(path, options);
    const told = await answer.json();
    return {ok: answer.ok, text: answer.ok ? told.done : told.error.message};
  } catch {
    return {ok: false, text: "The server does not answer. Nothing was changed, as far as this page can tell."};
  }
}

async function order(method, path, body, done) {
  const told = await send(method, path, body);
  put(by("said"), told.ok ? done : told.text);
}

by("inject").addEventListener("submit", (event) => {
  event.preventDefault();
  const {kind, delay} = event.submitter.dataset;
  // In a short storm, Retry-After is so long that the SDK's two retries outlast the storm: they are sent after 5 and 10 seconds.
  const short = kind === "rate_limit" && Number(by("seconds").value) <= 9 && {retry_after: 5};
  const fault = short ? {kind, ...short} : delay ? {kind, seconds: Number(delay)} : {kind};  // slow: delays each event of a stream by this much
  const learner = by("whom").value || null;
  const seconds = Number(by("seconds").value);
  const done = `${KINDS[kind]} for ${learner ?? "everybody"}, ${seconds} s.`;
  order("POST", "/console/faults", {fault, seconds, ...(learner && {learner})}, done);
});
by("lift-all").addEventListener("click", () => order("DELETE", "/console/faults", null, "All faults stopped."));

function show(told) {
  inClass = told.class;
  put(by("trouble"), told.trouble);
  by("trouble").hidden = !told.trouble;
  put(by("sharing"), told.shares ? "Chapter, checks and quiz answers are shown for learners who did not opt out."
    : "Chapter, checks and quiz answers are not shared: start the class with --share, or learners join with share=True.");
  showTogether(told.together);
  showVotes(told.votes);
  showLearners(told.learners);
  showFaults(told.faults);
}

function watch() {
  const events = new EventSource("/console/events");
  events.onopen = () => put(by("link"), "Live");
  events.onmessage = (event) => show(JSON.parse(event.data));
  events.onerror = () => {
    if (events.readyState === EventSource.CLOSED) {
      put(by("link"), "You are logged out, or the server was replaced. Reload this page.");
    } else {
      put(by("link"), "The server does not answer; trying again …");
    }
  };
}

watch();
