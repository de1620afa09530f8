// The application at the end of the guide: rooms, messages, members, live, through either API.

import { element } from "./show.js";
import { ask } from "./calls.js";

const enc = encodeURIComponent;

class Refused extends Error {}

async function must(request, signal) {
    const answer = await ask(request, signal);
    if (!answer.ok) {
        throw new Refused(answer.body.error ?? "The server answered " + answer.status + ".");
    }
    return answer.body;
}

// Both APIs behind one face: rooms as {id, membership, last}, events as {id, room, type, sender,
// key, content}.
function through2014(token, signal) {
    const base = "/_matrix/client/api/v1";
    const get = (path, more = "") => must({ method: "GET", url: `${base}${path}?access_token=${enc(token)}${more}` }, signal);
    const post = (path, body) => must({ method: "POST", url: `${base}${path}?access_token=${enc(token)}`, body }, signal);
    const event = (e, room) => ({ id: e.event_id, room: e.room_id ?? room, type: e.type, sender: e.user_id, key: e.state_key, content: e.content });
    return {
        async begin() {
            const all = await get("/initialSync", "&limit=1");
            const rooms = all.rooms.map((r) => ({
                id: r.room_id,
                membership: r.membership,
                last: r.messages.chunk.map((e) => event(e, r.room_id)).at(-1),
            }));
            return { rooms, next: all.end };
        },
        async listen(from) {
            const news = await get("/events", "&from=" + enc(from));
            return { events: news.chunk.map((e) => event(e)).filter((e) => e.room), next: news.end };
        },
        async messages(room) {
            const page = await get(`/rooms/${enc(room)}/messages`, "&from=END&dir=b&limit=30");
            return page.chunk.reverse().map((e) => event(e, room));
        },
        async members(room) {
            return (await get(`/rooms/${enc(room)}/members`)).chunk.map((e) => event(e, room));
        },
        join: (room) => post(`/rooms/${enc(room)}/join`, {}),
        say: (room, text) => post(`/rooms/${enc(room)}/send/m.room.message`, { msgtype: "m.text", body: text }),
    };
}

function throughToday(token, signal) {
    const base = "/_matrix/client/v3";
    const call = (method, path, body) => must({ method, url: base + path, token, body }, signal);
    const event = (room) => (e) => ({ id: e.event_id, room, type: e.type, sender: e.sender, key: e.state_key, content: e.content });
    const filter = enc(JSON.stringify({ room: { timeline: { limit: 20 } } }));
    const all = (sync, kind) => Object.entries(sync.rooms?.[kind] ?? {});
    let number = 0;
    return {
        async begin() {
            const sync = await call("GET", "/sync?filter=" + filter);
            const joined = all(sync, "join").map(([id, r]) => ({
                id, membership: "join", last: r.timeline.events.map(event(id)).at(-1),
            }));
            const invited = all(sync, "invite").map(([id]) => ({ id, membership: "invite" }));
            return { rooms: [...joined, ...invited], next: sync.next_batch };
        },
        async listen(since) {
            const sync = await call("GET", `/sync?timeout=30000&filter=${filter}&since=${enc(since)}`);
            const events = [...all(sync, "join"), ...all(sync, "leave")].flatMap(([id, r]) =>
                [...(r.state?.events ?? []), ...(r.timeline?.events ?? [])].map(event(id)));
            const invites = all(sync, "invite").flatMap(([id, r]) =>
                r.invite_state.events.filter((e) => e.type === "m.room.member").map(event(id)));
            return { events: [...events, ...invites], next: sync.next_batch };
        },
        async messages(room) {
            const page = await call("GET", `/rooms/${enc(room)}/messages?dir=b&limit=30`);
            return page.chunk.reverse().map(event(room));
        },
        async members(room) {
            return (await call("GET", `/rooms/${enc(room)}/members`)).chunk.map(event(room));
        },
        join: (room) => call("POST", `/rooms/${enc(room)}/join`, {}),
        say(room, text) {
            number += 1;
            const txn = "app-" + Date.now() + "-" + number;
            return call("PUT", `/rooms/${enc(room)}/send/m.room.message/${txn}`, { msgtype: "m.text", body: text });
        },
    };
}

// In words, or null if there is nothing to say about it.
function words(event) {
    if (event.type === "m.room.message") {
        return { said: true, text: String(event.content.body ?? "") };
    }
    if (event.type === "m.room.member") {
        const what = { join: "joined", leave: "left", invite: "was invited", ban: "was banned", knock: "asks to join" };
        return { text: event.key + " " + (what[event.content.membership] ?? "changed") };
    }
    return event.type === "m.room.create" ? { text: event.sender + " created the room" } : null;
}

export function open(root, status) {
    const [list, messages, members] = ["rooms", "talk", "members"].map((name) => root.querySelector(`.${name} ul`));
    const [start, say] = [root.querySelector(".app-bar"), root.querySelector(".say")];
    let rooms = new Map();
    let seen = new Set();
    let people = new Map();
    let current = null;
    let waiting = null;
    let server = null;
    let session = null;

    const guarded = (act) => async (event) => {
        event?.preventDefault();
        const mine = session;
        try {
            await act(event);
        } catch (error) {
            if (session === mine || mine === null) {
                status.textContent = session?.signal.aborted ? "" : error.message;
            }
        }
    };

    function drawRooms() {
        list.replaceChildren(...[...rooms.values()].map((room) => {
            const said = room.last && words(room.last)?.text;
            const button = element("button", { type: "button" },
                element("b", { textContent: room.id }),
                element("span", { textContent: room.membership === "invite" ? "invited" : said || room.membership }));
            button.setAttribute("aria-current", String(room.id === current));
            button.addEventListener("click", guarded(() => enter(room.id)));
            return element("li", {}, button);
        }));
    }

    function drawMembers() {
        members.replaceChildren(...[...people].map(([user, membership]) =>
            element("li", { textContent: user, className: membership === "join" ? "" : membership === "invite" ? "soft" : "gone" })));
    }

    function add(event) {
        if (event.id && seen.has(event.id)) {
            return;
        }
        seen.add(event.id);
        if (event.type === "m.room.member") {
            people.set(event.key, event.content.membership);
            drawMembers();
        }
        const told = words(event);
        if (told) {
            const item = told.said
                ? element("li", {}, element("b", { textContent: event.sender }), " " + told.text)
                : element("li", { className: "note", textContent: told.text });
            messages.append(item);
            messages.scrollTop = messages.scrollHeight;
        }
    }

    async function enter(id) {
        if (rooms.get(id).membership === "invite") {
            await server.join(id);
            rooms.get(id).membership = "join";
        }
        current = id;
        waiting = [];
        drawRooms();
        const [history, present] = await Promise.all([server.messages(id), server.members(id)]);
        if (current !== id) {
            return;
        }
        seen = new Set();
        people = new Map();
        messages.replaceChildren();
        history.forEach(add);
        present.forEach((event) => people.set(event.key, event.content.membership));
        drawMembers();
        // What came while the history was read; some of it may be in there.
        waiting.forEach(add);
        waiting = null;
        for (const part of say.elements) {
            part.disabled = false;
        }
    }

    function note(event) {
        const own = event.type === "m.room.member" ? { membership: event.content.membership } : {};
        const room = rooms.get(event.room);
        if (room) {
            room.last = event;
        } else {
            rooms.set(event.room, { id: event.room, membership: "join", last: event, ...own });
        }
        if (event.room === current) {
            waiting === null ? add(event) : waiting.push(event);
        }
    }

    async function listen(api, next, mine) {
        while (!mine.signal.aborted) {
            const news = await api.listen(next);
            next = news.next;
            news.events.forEach(note);
            if (news.events.length > 0) {
                drawRooms();
            }
        }
    }

    start.addEventListener("submit", guarded(async () => {
        session?.abort();
        const mine = new AbortController();
        session = mine;
        const make = start.elements.api.value === "v1" ? through2014 : throughToday;
        const api = make(start.elements.token.value.trim(), mine.signal);
        server = api;
        [rooms, current, waiting] = [new Map(), null, null];
        [list, messages, members].forEach((part) => part.replaceChildren());
        for (const part of say.elements) {
            part.disabled = true;
        }
        const { rooms: found, next } = await api.begin();
        rooms = new Map(found.map((room) => [room.id, room]));
        drawRooms();
        status.textContent = found.length === 0 ? "No rooms yet: create one above." : "Connected. Choose a room.";
        await listen(api, next, mine);
    }));

    say.addEventListener("submit", guarded(async () => {
        const text = say.elements.text.value;
        say.elements.text.value = "";
        if (text && current) {
            await server.say(current, text);
        }
    }));
}
