// One device on matrix-js-sdk with encryption. Reads commands, one JSON object a line, and answers
// each with a line of JSON: {"ok": ..} or {"error": ..}. `device.rs` says what they mean.
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

// The SDK asks for a newer Node than distributions have, for this alone.
Promise.withResolvers ??= () => {
    let resolve, reject;
    const promise = new Promise((...both) => ([resolve, reject] = both));
    return { promise, resolve, reject };
};

// Answers alone go to the standard output; what is said otherwise goes where the servers' logs go: to
// those who look into a failure.
const say = (...words) => console.error(...words.map((word) => word?.stack ?? word));
const log = { trace() {}, debug() {}, info() {}, warn: say, error: say, getChild: () => log };
Object.assign(console, { log: say, info() {}, debug() {} });

const sdk = await import("matrix-js-sdk");
const { CryptoEvent, VerificationPhase, VerifierEvent, decodeRecoveryKey } = await import(
    "matrix-js-sdk/lib/crypto-api/index.js"
);

// Nothing takes this long unless it hangs.
const PATIENCE_MS = 120_000;
// So that no timeline has a gap, whatever is said while the server is away.
const FILTER = { room: { timeline: { limit: 200 } } };

async function until(what, condition) {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
        const found = await condition();
        if (found) return found;
        if (Date.now() >= end) throw new Error(`waited in vain until ${what}`);
        await sleep(20);
    }
}

let client, crypto, password;
// [id, key] of the secret storage.
let secretKey = null;
// The verification that is under way, what it shows, and how it ends.
let incoming = null;
let request = null;
let shown = null;
let ended = null;

const passwordAuth = async (makeRequest) => {
    const identifier = { type: "m.id.user", user: client.getUserId() };
    return await makeRequest({ type: "m.login.password", identifier, password });
};

function watch(verifier) {
    verifier.on(VerifierEvent.ShowSas, (sas) => (shown = sas));
    // Of what fails here the other commands tell: nothing is shown, or it does not come to an end.
    ended = verifier.verify().catch(say);
}

function room(id) {
    const found = client.getRoom(id);
    if (!found) throw new Error(`${id} is not known`);
    return found;
}

async function deviceOf(user, device) {
    const devices = await crypto.getUserDeviceInfo([user]);
    return devices.get(user)?.get(device);
}

const commands = {
    async log_in({ url, name, password: word, register }) {
        const guest = sdk.createClient({ baseUrl: url, logger: log });
        password = word;
        const identifier = { type: "m.id.user", user: name };
        if (register) {
            const auth = { type: "m.login.dummy" };
            await guest.registerRequest({ username: name, password, auth, inhibit_login: true });
        }
        const login = await guest.loginRequest({ type: "m.login.password", identifier, password });
        client = sdk.createClient({
            baseUrl: url,
            userId: login.user_id,
            deviceId: login.device_id,
            accessToken: login.access_token,
            logger: log,
            verificationMethods: ["m.sas.v1"],
            cryptoCallbacks: {
                getSecretStorageKey: async ({ keys }) => (secretKey && secretKey[0] in keys ? secretKey : null),
                cacheSecretStorageKey: (id, _, key) => (secretKey = [id, key]),
            },
        });
        await client.initRustCrypto({ useIndexedDB: false });
        crypto = client.getCrypto();
        client.on(CryptoEvent.VerificationRequestReceived, (received) => (incoming = received));
        let prepared = false;
        client.on(sdk.ClientEvent.Sync, (state) => (prepared ||= state === "PREPARED"));
        const filter = new sdk.Filter(login.user_id);
        // A copy, for the SDK changes what it is given.
        filter.setDefinition(structuredClone(FILTER));
        await client.startClient({ filter, pollTimeout: 5_000 });
        await until("it is in sync", () => prepared);
        return { user: login.user_id, device: login.device_id };
    },

    async create_room({ invite, direct }) {
        const algorithm = "m.megolm.v1.aes-sha2";
        const initial_state = [{ type: "m.room.encryption", state_key: "", content: { algorithm } }];
        return (await client.createRoom({ preset: "private_chat", invite, is_direct: direct, initial_state })).room_id;
    },

    async join({ room: id }) {
        await until("it is invited", () => client.getRoom(id)?.getMyMembership() === "invite");
        await client.joinRoom(id);
        return null;
    },

    // Who is in the room, as this device knows.
    async members({ room: id }) {
        const members = client.getRoom(id)?.getJoinedMembers() ?? [];
        return members.map((member) => member.userId);
    },

    // A server that is not there now is asked again, with the same transaction id.
    async send({ room: id, text }) {
        await until("the room is encrypted", () => crypto.isEncryptionEnabledInRoom(id));
        const transaction = client.makeTxnId();
        const content = { msgtype: "m.text", body: text };
        try {
            return (await client.sendEvent(id, "m.room.message", content, transaction)).event_id;
        } catch (error) {
            return await until(`${text} is sent: ${error}`, async () => {
                const events = room(id).getLiveTimeline().getEvents();
                const event = events.find((event) => event.getTxnId() === transaction);
                if (event.status !== sdk.EventStatus.NOT_SENT) return event.getId();
                await sleep(100);
                return await client.resendEvent(event, room(id)).then((sent) => sent.event_id, () => null);
            });
        }
    },

    // All that was said, the oldest first; null for what cannot be decrypted.
    async texts({ room: id }) {
        const timeline = room(id).getLiveTimeline();
        while (timeline.getPaginationToken(sdk.Direction.Backward)) await client.scrollback(room(id), 100);
        const events = timeline.getEvents();
        await Promise.all(events.map((event) => client.decryptEventIfNeeded(event)));
        const isMessage = (event) => ["m.room.message", "m.room.encrypted"].includes(event.getType());
        const isSaid = (event) => isMessage(event) && !event.getContent().msgtype?.startsWith("m.key.");
        return events.filter(isSaid).map((event) => {
            const failed = event.isDecryptionFailure() || event.getType() === "m.room.encrypted";
            if (failed) say("not decrypted:", event.getId(), event.decryptionFailureReason);
            return failed ? null : event.getContent().body;
        });
    },

    // Cross-signing, the secret storage and a key backup; returns the recovery key.
    async bootstrap() {
        const key = await crypto.createRecoveryKeyFromPassphrase();
        await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: passwordAuth });
        const createSecretStorageKey = async () => key;
        await crypto.bootstrapSecretStorage({ createSecretStorageKey, setupNewKeyBackup: true });
        return key.encodedPrivateKey;
    },

    async knows_device({ user, device }) {
        return !!(await deviceOf(user, device));
    },

    async trusts_device({ user, device }) {
        const status = await crypto.getDeviceVerificationStatus(user, device);
        return !!status?.crossSigningVerified;
    },

    async trusts_user({ user }) {
        return (await crypto.getUserVerificationStatus(user)).isCrossSigningVerified();
    },

    // The private keys of cross-signing and of the backup are here.
    async has_secrets() {
        const { privateKeysCachedLocally: keys } = await crypto.getCrossSigningStatus();
        const signing = keys.masterKey && keys.selfSigningKey && keys.userSigningKey;
        return signing && !!(await crypto.getActiveSessionBackupVersion());
    },

    // Whether all keys that are here are in the backup.
    async is_backed_up() {
        // What the SDK itself tells of the backup is as it was when it looked first.
        const backup = await client.http.authedRequest("GET", "/room_keys/version");
        return backup.count >= (await crypto.exportRoomKeys()).length;
    },

    async restore({ key }) {
        const id = await client.secretStorage.getDefaultKeyId();
        secretKey = [id, decodeRecoveryKey(key)];
        // Private keys are taken in for public ones that are known.
        await crypto.userHasCrossSigningKeys(client.getUserId(), true);
        await crypto.bootstrapCrossSigning({});
        await crypto.loadSessionBackupPrivateKeyFromSecretStorage();
        await crypto.checkKeyBackupAndEnable();
        return (await crypto.restoreKeyBackup()).imported;
    },

    // To one device, or in a room to all of a user's.
    async request_verification({ user, device, room: id }) {
        [incoming, request, shown, ended] = [null, null, null, null];
        request = id
            ? await crypto.requestVerificationDM(user, id)
            : await crypto.requestDeviceVerification(user, device);
        return null;
    },

    async accept_verification({ user }) {
        [request, shown, ended] = [null, null, null];
        request = await until("a verification is asked for", () => incoming?.otherUserId === user && incoming);
        incoming = null;
        await request.accept();
        return null;
    },

    async start_sas() {
        await until("the other has accepted", () => request.phase === VerificationPhase.Ready);
        watch(await request.startVerification("m.sas.v1"));
        return null;
    },

    async accept_sas() {
        watch(await until("the other has started", () => request.verifier));
        return null;
    },

    async emoji() {
        const seen = await until(`emoji are shown in phase ${request.phase}`, () => shown);
        return seen.sas.emoji.map(([emoji]) => emoji);
    },

    // It comes to an end when the other has confirmed, too.
    async confirm_sas() {
        await shown.confirm();
        return null;
    },

    async end_sas() {
        await until("the verification is done", () => request.phase === VerificationPhase.Done);
        await ended;
        return null;
    },

    async log_out() {
        client.stopClient();
        await client.logout();
        return null;
    },
};

for await (const line of createInterface({ input: process.stdin })) {
    const { do: name, ...input } = JSON.parse(line);
    let answer;
    try {
        answer = { ok: await commands[name](input) };
    } catch (error) {
        answer = { error: `${name}: ${error?.stack ?? error}` };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
