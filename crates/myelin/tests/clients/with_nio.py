"""matrix-nio without encryption, as two people in one room. Usage: with_nio.py BASE_URL"""

import asyncio
import sys

import aiohttp
import nio

MESSAGES = 30
PASSWORD = "wordpass"
# Nothing takes this long unless it hangs.
PATIENCE = 60
# So that no timeline has a gap, whatever is said while the server is away.
FILTER = {"room": {"timeline": {"limit": 100}}}


def expect(answer, kind):
    assert isinstance(answer, kind), answer
    return answer


class Person:
    """A client that remembers everything that its timelines have shown."""

    def __init__(self, base_url, name):
        self.name = name
        self.client = nio.AsyncClient(base_url, f"@{name}:localhost")
        self.invited, self.left, self.events, self.ephemeral = set(), set(), [], []

    async def register(self):
        expect(await self.client.register(self.name, PASSWORD), nio.RegisterResponse)
        # Again with the password, for that is what people do.
        token = self.client.access_token
        expect(await self.client.login(PASSWORD), nio.LoginResponse)
        assert self.client.access_token != token

    async def sync(self, timeout=0):
        """One poll; a server that is not there now is asked again."""
        since = self.client.next_batch
        ask = lambda: self.client.sync(timeout, FILTER, since)
        answer = await self.patiently(ask, nio.SyncResponse)
        self.invited.update(answer.rooms.invite)
        for room in answer.rooms.join.values():
            self.events.extend(room.timeline.events)
            self.ephemeral.extend(room.ephemeral)
        self.left.update(answer.rooms.leave)

    async def until(self, what, condition):
        async def poll():
            while not condition():
                await self.sync(timeout=1000)

        try:
            await asyncio.wait_for(poll(), PATIENCE)
        except asyncio.TimeoutError:
            raise AssertionError(f"{self.name} waited in vain until {what}") from None

    async def patiently(self, ask, kind):
        async def again():
            while True:
                try:
                    answer = await ask()
                except (aiohttp.ClientError, OSError, asyncio.TimeoutError):
                    answer = None
                if isinstance(answer, kind):
                    return answer
                unavailable = answer is None or getattr(answer, "status_code", None) == "M_UNKNOWN"
                assert unavailable, answer
                await asyncio.sleep(0.1)

        return await asyncio.wait_for(again(), PATIENCE)

    async def send(self, room, text, txn):
        content = {"msgtype": "m.text", "body": text}
        ask = lambda: self.client.room_send(room, "m.room.message", content, tx_id=txn)
        return (await self.patiently(ask, nio.RoomSendResponse)).event_id

    def texts(self):
        return [event.body for event in self.events if isinstance(event, nio.RoomMessageText)]

    async def all_texts(self, room):
        """Back from now to the beginning of the room, page by page; the oldest first."""
        found, start = [], self.client.next_batch
        while start:
            page = await self.client.room_messages(
                room, start, direction=nio.MessageDirection.back, limit=7
            )
            expect(page, nio.RoomMessagesResponse)
            found += [event.body for event in page.chunk if isinstance(event, nio.RoomMessageText)]
            start = page.end
        return found[::-1]


async def meet(alice, bob):
    created = await alice.client.room_create(alias="meeting", name="Meeting", topic="All of it")
    room = expect(created, nio.RoomCreateResponse).room_id
    expect(await alice.client.room_resolve_alias("#meeting:localhost"), nio.RoomResolveAliasResponse)
    invited = await alice.client.room_invite(room, "@bob:localhost")
    expect(invited, nio.RoomInviteResponse)
    await bob.until("he is invited", lambda: room in bob.invited)
    expect(await bob.client.join("#meeting:localhost"), nio.JoinResponse)
    await bob.until("he is in the room", lambda: room in bob.client.rooms)
    assert bob.client.rooms[room].name == "Meeting"
    return room


async def talk_through_the_blow(alice, bob, room):
    sent = []

    async def talk():
        for number in range(MESSAGES):
            person = (alice, bob)[number % 2]
            text = f"message {number}"
            await person.send(room, text, f"{person.name}-{number}")
            sent.append(text)
            if number == MESSAGES // 3:
                print("next", flush=True)
            if number == 2 * MESSAGES // 3:
                # By then it has fallen, whatever came first.
                await asyncio.to_thread(sys.stdin.readline)

    async def listen(person):
        await person.until("all is said", lambda: len(person.texts()) >= MESSAGES)

    await asyncio.gather(talk(), listen(alice), listen(bob))
    for person in (alice, bob):
        assert person.texts() == sent, (person.name, person.texts())
        assert await person.all_texts(room) == sent, person.name


async def signal(alice, bob, room):
    last = [event for event in alice.events if isinstance(event, nio.RoomMessageText)][-1].event_id
    expect(await alice.client.room_typing(room, True), nio.RoomTypingResponse)
    types = lambda event: isinstance(event, nio.TypingNoticeEvent) and event.users == ["@alice:localhost"]
    await bob.until("alice types", lambda: any(map(types, bob.ephemeral)))
    expect(await bob.client.room_read_markers(room, last, last), nio.RoomReadMarkersResponse)

    def is_read():
        receipts = [event for event in alice.ephemeral if isinstance(event, nio.ReceiptEvent)]
        return any(
            (receipt.event_id, receipt.user_id) == (last, "@bob:localhost")
            for event in receipts
            for receipt in event.receipts
        )

    await alice.until("bob has read", is_read)


async def redact(alice, bob, room):
    event = await alice.send(room, "a mistake", "mistake")
    await bob.until("the mistake is there", lambda: "a mistake" in bob.texts())
    redacted = await alice.client.room_redact(room, event, reason="wrong room")
    expect(redacted, nio.RoomRedactResponse)
    is_redaction = lambda found: isinstance(found, nio.RedactionEvent) and found.redacts == event
    await bob.until("it is redacted", lambda: any(map(is_redaction, bob.events)))
    assert "a mistake" not in await bob.all_texts(room)


async def part(alice, bob, room):
    expect(await bob.client.room_leave(room), nio.RoomLeaveResponse)
    await bob.until("he is out of the room", lambda: room in bob.left)
    expect(await bob.client.room_forget(room), nio.RoomForgetResponse)
    joined = expect(await bob.client.joined_rooms(), nio.JoinedRoomsResponse)
    assert room not in joined.rooms
    expect(await bob.client.logout(), nio.LogoutResponse)
    members = expect(await alice.client.joined_members(room), nio.JoinedMembersResponse)
    assert [member.user_id for member in members.members] == ["@alice:localhost"]


async def main():
    alice, bob = (Person(sys.argv[1], name) for name in ("alice", "bob"))
    try:
        for person in (alice, bob):
            await person.register()
            await person.sync()
        room = await meet(alice, bob)
        await talk_through_the_blow(alice, bob, room)
        await signal(alice, bob, room)
        await redact(alice, bob, room)
        await part(alice, bob, room)
    finally:
        for person in (alice, bob):
            await person.client.close()


asyncio.run(main())
