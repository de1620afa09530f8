// What each step asks of the server, in both APIs, and what its answer tells the steps after it.

const OLD = "/_matrix/client/api/v1";
const NEW = "/_matrix/client/v3";

function query(parameters) {
    const pairs = Object.entries(parameters).filter(([key, value]) => value !== "" || key === "access_token");
    return pairs.map(([key, value]) => key + "=" + encodeURIComponent(value)).join("&");
}

// In 2014 the token was part of the address; today it has a header.
function old(method, path, token, body, parameters = {}) {
    const all = token === undefined ? parameters : { ...parameters, access_token: token };
    const end = query(all);
    return { method, url: OLD + path + (end && "?" + end), body };
}

function today(method, path, token, body, parameters = {}) {
    const end = query(parameters);
    return { method, url: NEW + path + (end && "?" + end), body, token };
}

const room = (fields, rest) => "/rooms/" + encodeURIComponent(fields.room) + rest;

function session(who) {
    return (answer) => ({ [who + ".id"]: answer.user_id, [who + ".token"]: answer.access_token });
}

function created(answer, fields, server) {
    const known = { room: answer.room_id };
    if (fields.alias) {
        known["alias.full"] = "#" + fields.alias + ":" + server;
        known["alias.name"] = next(fields.alias);
    }
    return known;
}

// The name after this one: an alias can be given once only.
function next(name) {
    const parts = /^(.*?)-?(\d*)$/.exec(name);
    return parts[1] + "-" + (Number(parts[2] || 1) + 1);
}

// The number of a room's messages is said in a filter today.
const few = (limit) => limit === "" ? "" : JSON.stringify({ room: { timeline: { limit: Number(limit) } } });

export const calls = {
    register: {
        v1: (f) => old("POST", "/register", undefined, { user_id: f.name, password: f.password }),
        v3: (f) => today("POST", "/register", undefined,
            { username: f.other, password: f.password, auth: { type: "m.login.dummy" } }),
        learn: { v1: session("alice"), v3: session("bob") },
    },
    "ask-login": {
        v1: () => old("GET", "/login"),
        v3: () => today("GET", "/login"),
    },
    login: {
        v1: (f) => old("POST", "/login", undefined,
            { type: "m.login.password", user: f.user, password: f.password }),
        v3: (f) => today("POST", "/login", undefined, {
            type: "m.login.password",
            identifier: { type: "m.id.user", user: f.user },
            password: f.password,
        }),
        learn: { v1: session("alice"), v3: session("alice") },
    },
    create: {
        v1: (f) => old("POST", "/createRoom", f.token, f.alias ? { room_alias_name: f.alias } : {}),
        v3: (f) => today("POST", "/createRoom", f.token,
            { preset: "public_chat", ...(f.alias && { room_alias_name: f.alias }) }),
        learn: { v1: created, v3: created },
    },
    send: {
        v1: (f) => old("POST", room(f, "/send/m.room.message"), f.token,
            { msgtype: "m.text", body: f.text }),
        v3: (f) => today("PUT", room(f, "/send/m.room.message/" + encodeURIComponent(f.txn)), f.token,
            { msgtype: "m.text", body: f.text }),
        learn: { v3: (_, fields) => ({ txn: next(fields.txn) }) },
    },
    invite: {
        v1: (f) => old("POST", room(f, "/invite"), f.token, { user_id: f.user }),
        v3: (f) => today("POST", room(f, "/invite"), f.token, { user_id: f.user }),
    },
    accept: {
        v1: (f) => old("POST", room(f, "/join"), f.token, {}),
        v3: (f) => today("POST", room(f, "/join"), f.token, {}),
    },
    leave: {
        v1: (f) => old("POST", room(f, "/leave"), f.token, {}),
        v3: (f) => today("POST", room(f, "/leave"), f.token, {}),
    },
    join: {
        v1: (f) => old("POST", "/join/" + encodeURIComponent(f.alias), f.token, {}),
        v3: (f) => today("POST", "/join/" + encodeURIComponent(f.alias), f.token, {}),
        learn: { v1: (answer) => ({ room: answer.room_id }), v3: (answer) => ({ room: answer.room_id }) },
    },
    everything: {
        v1: (f) => old("GET", "/initialSync", f.token, undefined, { limit: f.limit }),
        v3: (f) => today("GET", "/sync", f.token, undefined, { filter: few(f.limit) }),
        learn: {
            v1: (answer) => ({ "v1.end": answer.end }),
            v3: (answer) => ({ "v3.next": answer.next_batch }),
        },
    },
    live: {
        waits: true,
        v1: (f) => old("GET", "/events", f.token, undefined, { from: f.from, timeout: f.timeout }),
        v3: (f) => today("GET", "/sync", f.token, undefined, { since: f.since, timeout: f.timeout }),
        learn: {
            v1: (answer) => ({ "v1.end": answer.end }),
            v3: (answer) => ({ "v3.next": answer.next_batch }),
        },
    },
    history: {
        v1: (f) => old("GET", room(f, "/messages"), f.token, undefined,
            { from: "END", dir: "b", limit: f.limit }),
        v3: (f) => today("GET", room(f, "/messages"), f.token, undefined, { dir: "b", limit: f.limit }),
    },
    members: {
        v1: (f) => old("GET", room(f, "/members"), f.token),
        v3: (f) => today("GET", room(f, "/members"), f.token),
    },
};

// Sends a request; its answer is JSON whatever the status.
export async function ask(request, signal) {
    const headers = {};
    if (request.body !== undefined) {
        headers["Content-Type"] = "application/json";
    }
    if (request.token !== undefined) {
        headers.Authorization = "Bearer " + request.token;
    }
    const response = await fetch(request.url, {
        method: request.method,
        headers,
        body: request.body === undefined ? undefined : JSON.stringify(request.body),
        cache: "no-store",
        signal,
    });
    return { status: response.status, ok: response.ok, body: await response.json() };
}
