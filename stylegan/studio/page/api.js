// Calls of the HTTP API.

async function checked(response) {
  if (response.ok) return response;
  let text = `the studio answered ${response.status}.`;
  try { text = (await response.json()).error ?? text; } catch { /* not JSON */ }
  const error = new Error(text);
  error.status = response.status;
  throw error;
}

export async function get(path) {
  return checked(await fetch(path));
}

export async function post(path, body) {
  return checked(await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }));
}

export async function upload(path, file) {
  return checked(await fetch(path, { method: "POST", headers: { "content-type": "application/octet-stream" }, body: file }));
}

export async function remove(path) {
  return checked(await fetch(path, { method: "DELETE" }));
}

export const cancel = (id) => remove(`/v1/jobs/${id}`);

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Runs one call at a time. Of all that were asked for meanwhile, only the newest is run: a slider never waits for the
// images of the places that it has left.
export class Latest {
  constructor(run) { this.run = run; this.busy = false; this.waiting = null; }

  async ask(...args) {
    if (this.busy) { this.waiting = args; return; }
    this.busy = true;
    let next = args;
    while (next) {
      this.waiting = null;
      const before = messages; // what was shown meanwhile belongs to something else
      try {
        await this.run(...next);
        if (messages === before) show("");
      } catch (error) {
        if (error.status === 429) { await sleep(300); this.waiting ??= next; } else show(error.message);
      }
      next = this.waiting;
    }
    this.busy = false;
  }
}

// Returns `ask` such that its answer is null once it has been asked again: an answer that was overtaken is not shown.
export function newest(ask) {
  let last = 0;
  return async (...args) => {
    const mine = ++last;
    try {
      const answer = await ask(...args);
      return mine === last ? answer : null;
    } catch (error) {
      if (mine === last) throw error;
      return null;
    }
  };
}

// Follows a job to its end, with a call for each new state.
export async function follow(id, seen) {
  for (;;) {
    const job = await (await get(`/v1/jobs/${id}`)).json();
    await seen(job);
    if (["done", "failed", "canceled"].includes(job.state)) return job;
    await sleep(250);
  }
}

let messages = 0; // number of those that were shown
export function show(text) {
  if (text) messages++;
  const place = document.getElementById("message");
  place.textContent = text;
  place.hidden = !text;
}

export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
