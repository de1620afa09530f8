// The guide: turns each step's fields into requests, sends them, and writes what an answer tells
// into the fields of the steps after it.

import { open } from "./application.js";
import { ask, calls } from "./calls.js";
import { panel, showAnswer, showFailure, showRequest } from "./show.js";

const server = document.querySelector(".guide").dataset.serverName;
const STORED = "myelin-guide";
const known = { ...beginning(), ...JSON.parse(sessionStorage.getItem(STORED) ?? "{}") };
const redraws = [];

// Names that are probably free, also where many have read this guide before.
function beginning() {
    const letters = "bcdfghjkmnpqrstvwxz";
    const drawn = crypto.getRandomValues(new Uint8Array(4));
    const mark = Array.from(drawn, (number) => letters[number % letters.length]).join("");
    return {
        "alice.name": "alice-" + mark,
        "bob.name": "bob-" + mark,
        password: "wordpass-" + mark,
        "alias.name": "tutorial-" + mark,
        txn: mark + "-1",
    };
}

function fill() {
    for (const input of document.querySelectorAll("input[data-known]")) {
        const value = known[input.dataset.known];
        if (value !== undefined && input.value !== value) {
            input.value = value;
            input.classList.remove("filled");
            // Read so that the animation starts anew.
            void input.offsetWidth;
            input.classList.add("filled");
        }
    }
    redraws.forEach((redraw) => redraw());
}

function learn(facts) {
    Object.assign(known, facts);
    sessionStorage.setItem(STORED, JSON.stringify(known));
    fill();
}

function fieldsOf(step) {
    const fields = {};
    for (const input of step.querySelectorAll(".fields input")) {
        fields[input.name] = input.value.trim();
    }
    return fields;
}

function prepare(step, api) {
    const name = step.dataset.step;
    const call = calls[name];
    const made = panel(api, step.querySelector("h3").textContent, call.waits);
    const redraw = () => showRequest(made, call[api](fieldsOf(step)));
    redraws.push(redraw);
    let running = null;
    made.send.addEventListener("click", async () => {
        if (running) {
            running.abort();
            return;
        }
        running = new AbortController();
        const label = made.send.textContent;
        if (call.waits) {
            made.send.textContent = "Stop";
        } else {
            made.send.disabled = true;
        }
        try {
            do {
                await once(step, api, made, running.signal);
            } while (made.goOn.checked && made.root.dataset.status === "200");
        } catch (error) {
            if (!running.signal.aborted) {
                showFailure(made, "The server cannot be reached. (" + error.message + ")");
            }
        }
        running = null;
        made.send.textContent = label;
        made.send.disabled = false;
    });
    return made.root;
}

async function once(step, api, made, signal) {
    const name = step.dataset.step;
    const fields = fieldsOf(step);
    const started = performance.now();
    const answer = await ask(calls[name][api](fields), signal);
    showAnswer(made, answer, performance.now() - started);
    if (answer.ok) {
        document.querySelector(`.contents a[href="#${name}"]`)?.parentElement.classList.add("done");
        const told = calls[name].learn?.[api];
        if (told) {
            learn(told(answer.body, fields, server));
        }
    }
}

for (const step of document.querySelectorAll("[data-step]")) {
    const pair = document.createElement("div");
    pair.className = "pair";
    pair.append(prepare(step, "v1"), prepare(step, "v3"));
    step.append(pair);
    step.addEventListener("input", (event) => {
        // What somebody writes into one field is meant for all that show the same.
        const name = event.target.dataset.known;
        if (name) {
            known[name] = event.target.value;
        }
        fill();
    });
}
fill();
open(document.getElementById("app"), document.getElementById("app-status"));
