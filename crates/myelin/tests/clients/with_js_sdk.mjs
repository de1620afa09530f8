// matrix-js-sdk without encryption, as two people in one room. Usage: with_js_sdk.mjs BASE_URL
import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

// The SDK asks for a newer Node than distributions have, for this alone.
Promise.withResolvers ??= () => {
    let resolve, reject;
    const promise = new Promise((...both) => ([resolve, reject] = both));
    return { promise, resolve, reject };
};

const sdk = await import("matrix-js-sdk");
const { ClientEvent, EventType } = sdk;

const BASE_URL = process.argv[2];
const MESSAGES = 30;
const PASSWORD = "wordpass";
// Nothing takes this long unless it hangs.
const PATIENCE_MS = 60_000;
// So that no timeline has a gap, whatever is said while the server is away.
const FILTER = { room: { timeline: { limit: 100 }, state: { lazy_load_members: true } } };

async function until(what, condition, seen = () => "") {
    const end = Date.now() + PATIENCE_MS;
    while (!(await condition())) {
        assert.ok(Date.now() < end, `waited in vain until ${what}: ${seen()}`);
        await sleep(20);
    }
}

const quiet = { trace() {}, debug() {}, info() {}, warn() {}, error: console.error, getChild: () => quiet };

class Person {
    constructor(name) {
        this.name = name;
        this.id = `@${name}:localhost`;
    }

    async start() {
        const guest = sdk.createClient({ baseUrl: BASE_URL, logger: quiet });
        const auth = { type: "m.login.dummy" };
        const registered = await guest.registerRequest({ username: this.name, password: PASSWORD, auth });
        // Again with the password, for that is what people do.
        const identifier = { type: "m.id.user", user: this.name };
        const login = await guest.loginRequest({ type: "m.login.password", identifier, password: PASSWORD });
        assert.notEqual(login.access_token, registered.access_token);
        this.client = sdk.createClient({
            baseUrl: BASE_URL,
            userId: login.user_id,
            deviceId: login.device_id,
            accessToken: login.access_token,
            logger: quiet,
        });
        let prepared = false;
        this.client.on(ClientEvent.Sync, (state) => (prepared ||= state === "PREPARED"));
        const filter = new sdk.Filter(this.id);
        // A copy, for the SDK changes what it is given.
        filter.setDefinition(structuredClone(FILTER));
        await this.client.startClient({ filter, lazyLoadMembers: true, pollTimeout: 5_000 });
        await until(`${this.name} is in sync`, () => prepared);
    }

    // A server that is not there now is asked again, with the same transaction id.
    async send(room, body, txnId) {
        const content = { msgtype: "m.text", body };
        for (const end = Date.now() + PATIENCE_MS; ; ) {
            try {
                const path = `/rooms/${encodeURIComponent(room)}/send/m.room.message/${txnId}`;
                return (await this.client.http.authedRequest("PUT", path, undefined, content)).event_id;
            } catch (error) {
                const unavailable = error.httpStatus === undefined || error.httpStatus === 503;
                assert.ok(unavailable && Date.now() < end, error);
                await sleep(100);
            }
        }
    }

    room(id) {
        return this.client.getRoom(id);
    }

    // What a person sees, the oldest first.
    texts(id) {
        const events = this.room(id).getLiveTimeline().getEvents();
        const messages = events.filter((event) => event.getType() === EventType.RoomMessage && !event.isRedacted());
        return messages.map((event) => event.getContent().body);
    }

    // Back to the beginning of the room, page by page; the oldest first.
    async allTexts(id) {
        const found = [];
        let from = null;
        do {
            const page = await this.client.createMessagesRequest(id, from, 7, sdk.Direction.Backward);
            const messages = page.chunk.filter((event) => event.type === EventType.RoomMessage && event.content.body);
            found.push(...messages.map((event) => event.content.body));
            from = page.end;
        } while (from);
        return found.reverse();
    }
}

async function meet(alice, bob) {
    const options = { room_alias_name: "meeting", name: "Meeting", topic: "All of it" };
    const { room_id: room } = await alice.client.createRoom(options);
    assert.equal((await alice.client.getRoomIdForAlias("#meeting:localhost")).room_id, room);
    await alice.client.invite(room, bob.id);
    await until("bob is invited", () => bob.room(room)?.getMyMembership() === "invite");
    await bob.client.joinRoom("#meeting:localhost");
    await until("bob is in the room", () => bob.room(room)?.getMyMembership() === "join");
    await until("bob knows its name", () => bob.room(room).name === "Meeting");
    return room;
}

async function talkThroughTheBlow(alice, bob, room, ready) {
    const sent = [];
    for (let number = 0; number < MESSAGES; number += 1) {
        const person = [alice, bob][number % 2];
        const text = `message ${number}`;
        await person.send(room, text, `${person.name}-${number}`);
        sent.push(text);
        if (number === Math.floor(MESSAGES / 3)) console.log("next");
        // By then it has fallen, whatever came first.
        if (number === Math.floor((2 * MESSAGES) / 3)) await ready;
    }
    for (const person of [alice, bob]) {
        const heard = () => person.texts(room);
        await until(`${person.name} has heard all`, () => heard().length >= MESSAGES, heard);
        assert.deepEqual(heard(), sent, person.name);
        assert.deepEqual(await person.allTexts(room), sent, person.name);
    }
}

async function signal(alice, bob, room) {
    await alice.client.sendTyping(room, true, 30_000);
    await until("bob sees alice type", () => bob.room(room).getMember(alice.id)?.typing);
    const last = bob.room(room).getLiveTimeline().getEvents().at(-1);
    await bob.client.setRoomReadMarkers(room, last.getId(), last);
    await until("alice sees that bob has read", () => alice.room(room).getEventReadUpTo(bob.id) === last.getId());
}

async function redact(alice, bob, room) {
    const id = await alice.send(room, "a mistake", "mistake");
    await until("the mistake is there", () => bob.room(room).findEventById(id));
    await alice.client.redactEvent(room, id, undefined, { reason: "wrong room" });
    await until("it is redacted", () => bob.room(room).findEventById(id).isRedacted());
    assert.ok(!(await bob.allTexts(room)).includes("a mistake"));
    const fetched = await bob.client.fetchRoomEvent(room, id);
    assert.deepEqual(fetched.content, {});
    assert.equal(fetched.unsigned.redacted_because.content.reason, "wrong room");
}

async function part(alice, bob, room) {
    await bob.client.leave(room);
    await until("alice sees bob leave", () => alice.room(room).getMember(bob.id)?.membership === "leave");
    await bob.client.forget(room);
    assert.deepEqual((await bob.client.getJoinedRooms()).joined_rooms, []);
    bob.client.stopClient();
    await bob.client.logout();
    const members = await alice.client.getJoinedRoomMembers(room);
    assert.deepEqual(Object.keys(members.joined), [alice.id]);
    alice.client.stopClient();
}

const input = createInterface({ input: process.stdin });
const ready = new Promise((resolve) => input.once("line", resolve));
const [alice, bob] = [new Person("alice"), new Person("bob")];
await alice.start();
await bob.start();
const room = await meet(alice, bob);
await talkThroughTheBlow(alice, bob, room, ready);
await signal(alice, bob, room);
await redact(alice, bob, room);
await part(alice, bob, room);
input.close();
process.exit(0);
