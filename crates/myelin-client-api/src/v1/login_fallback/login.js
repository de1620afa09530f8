// Logs in and hands the answer to whoever opened the page: the specification's
// `window.matrixLogin.onLogin`, and `window.onLogin` of the clients of 2014.
"use strict";

const form = document.getElementById("login");
const outcome = document.getElementById("outcome");
const button = document.getElementById("submit");

// What the client wants of the new session, if it said so in the address.
const wanted = new URLSearchParams(window.location.search);

function request() {
    const body = {
        type: "m.login.password",
        user: document.getElementById("user").value,
        password: document.getElementById("password").value,
    };
    for (const key of ["device_id", "initial_device_display_name"]) {
        if (wanted.has(key)) {
            body[key] = wanted.get(key);
        }
    }
    return body;
}

function tell(answer) {
    if (window.matrixLogin && window.matrixLogin.onLogin) {
        window.matrixLogin.onLogin(answer);
    }
    if (window.onLogin) {
        window.onLogin(answer);
    }
}

async function login() {
    const response = await fetch(form.getAttribute("action"), {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(request()),
    });
    const answer = await response.json();
    if (!response.ok) {
        outcome.textContent = answer.error || "The server refused the login.";
        return;
    }
    form.hidden = true;
    outcome.textContent = "Logged in as " + answer.user_id + ".";
    tell(answer);
}

form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    outcome.textContent = "";
    try {
        await login();
    } catch (error) {
        outcome.textContent = "The server cannot be reached.";
    }
    button.disabled = false;
});
