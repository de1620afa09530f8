// How requests and answers look on the page.

const ERAS = { v1: "2014", v3: "Today" };

export function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
}

// The panel of one call: the request, buttons, and room for the answer.
export function panel(api, title, waits) {
    const line = element("code");
    const curl = element("pre", { tabIndex: 0 });
    curl.setAttribute("aria-label", "The request as a curl command");
    const send = element("button", { type: "button", className: "send", textContent: waits ? "Listen" : "Send" });
    send.setAttribute("aria-label", send.textContent + ": " + title + ", " + ERAS[api]);
    const copy = element("button", { type: "button", className: "copy", textContent: "Copy" });
    copy.setAttribute("aria-label", "Copy the curl command");
    copy.addEventListener("click", () => copied(copy, curl));
    const actions = element("div", { className: "actions" }, send, copy);
    const goOn = element("input", { type: "checkbox" });
    if (waits) {
        actions.append(element("label", {}, goOn, "go on"));
    }
    const outcome = element("p", { className: "outcome" });
    outcome.setAttribute("role", "status");
    const text = element("pre", { tabIndex: 0 });
    text.setAttribute("aria-label", "The answer");
    const answer = element("div", { className: "answer", hidden: true }, outcome, text);
    const root = element("div", { className: "call " + api },
        element("h4", {}, element("span", { className: "era", textContent: ERAS[api] }), line),
        curl, actions, answer);
    root.dataset.api = api;
    return { root, line, curl, send, goOn, answer, outcome, text };
}

export function showRequest(panel, request) {
    const path = request.url.split("?")[0];
    panel.line.replaceChildren(element("b", { textContent: request.method }), " " + path);
    panel.curl.textContent = curl(request);
}

export function showAnswer(panel, { status, ok, body }, took) {
    panel.answer.hidden = false;
    panel.answer.classList.toggle("failed", !ok);
    const size = JSON.stringify(body).length;
    panel.outcome.replaceChildren(
        element("b", { textContent: String(status) }),
        `${Math.round(took)} ms, ${size.toLocaleString("en")} bytes`);
    panel.text.replaceChildren(...coloured(body));
    panel.text.scrollTop = 0;
    panel.root.dataset.status = String(status);
}

export function showFailure(panel, message) {
    panel.answer.hidden = false;
    panel.answer.classList.add("failed");
    panel.outcome.replaceChildren(element("b", { textContent: "No answer" }));
    panel.text.textContent = message;
    panel.root.dataset.status = "failed";
}

// The command for a shell that makes the same request.
export function curl(request) {
    const parts = [request.method === "GET" ? "curl" : "curl -X" + request.method];
    if (request.token !== undefined) {
        parts.push("-H " + quoted("Authorization: Bearer " + (request.token || "YOUR_ACCESS_TOKEN")));
    }
    if (request.body !== undefined) {
        parts.push("-d " + quoted(JSON.stringify(request.body)));
    }
    const url = request.url.replace(/access_token=(?=&|$)/, "access_token=YOUR_ACCESS_TOKEN");
    parts.push(quoted(window.location.origin + url));
    return parts.join(" \\\n    ");
}

function quoted(text) {
    return "'" + text.replaceAll("'", "'\\''") + "'";
}

async function copied(button, source) {
    try {
        await navigator.clipboard.writeText(source.textContent);
        button.textContent = "Copied";
    } catch {
        // Browsers lend the clipboard to secure pages only; the selection works everywhere.
        window.getSelection().selectAllChildren(source);
        button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

// JSON as text nodes and coloured spans.
function coloured(value) {
    const text = JSON.stringify(value, null, 2);
    const pattern = /("(?:\\.|[^"\\])*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/g;
    const nodes = [];
    let end = 0;
    for (const found of text.matchAll(pattern)) {
        nodes.push(text.slice(end, found.index));
        const [whole, string, colon] = found;
        const className = string === undefined ? "number" : colon === undefined ? "string" : "key";
        nodes.push(element("span", { className, textContent: string ?? whole }), colon ?? "");
        end = found.index + whole.length;
    }
    nodes.push(text.slice(end));
    return nodes;
}
