// Keeps the timeline fresh without disturbing who reads it: what has not changed is not touched,
// and while text is selected in the list nothing is.
"use strict";
(() => {
  const rows = document.getElementById("rows");
  const freshness = document.getElementById("freshness");
  const EVERY = 5000;
  let tag = "";
  let failures = 0;

  const ids = () => new Set([...rows.querySelectorAll("td.what a")].map((link) => link.id));

  const isSelecting = () => {
    const selection = getSelection();
    return selection && !selection.isCollapsed && rows.contains(selection.anchorNode);
  };

  const say = (text) => {
    freshness.hidden = false;
    if (freshness.textContent !== text) freshness.textContent = text;
  };

  const replace = (html) => {
    const before = ids();
    const focused = rows.contains(document.activeElement) ? document.activeElement.id : "";
    const scroll = window.scrollY;
    const parsed = new DOMParser().parseFromString(html, "text/html");
    rows.replaceChildren(...parsed.body.childNodes);
    if (before.size > 0) {
      for (const id of ids()) {
        if (!before.has(id)) document.getElementById(id).closest("tr").classList.add("fresh");
      }
    }
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    window.scrollTo({ top: scroll });
  };

  const refresh = async () => {
    if (document.hidden || isSelecting()) return;
    try {
      const answer = await fetch(rows.dataset.source, {
        headers: tag ? { "If-None-Match": tag } : {},
        redirect: "error",
      });
      if (answer.status === 401) {
        say("You are signed out. Reload the page to sign in again.");
        return true;
      }
      if (answer.status === 200) {
        const html = await answer.text();
        // The first answer only tells what the page already shows.
        if (tag) replace(html);
        tag = answer.headers.get("ETag") ?? "";
      } else if (answer.status !== 304) {
        throw new Error(answer.statusText);
      }
      failures = 0;
      say("Refreshes by itself");
    } catch {
      failures += 1;
      if (failures > 1) say("The console does not answer. Trying again.");
    }
    return false;
  };

  const loop = async () => {
    if (!(await refresh())) setTimeout(loop, EVERY);
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
  loop();
})();
