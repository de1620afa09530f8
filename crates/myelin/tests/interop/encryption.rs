//! People who talk in an encrypted room with clients that others use, too: each device can decrypt
//! everything, while Myelin is restarted and loses a node.

use std::time::Instant;

use crate::{
    devices::{Device, Software},
    servers::{Server, Servers},
};

/// One server, one client: among what must pass before a change lands.
#[test]
fn decrypts_on_one_server() {
    let Some(js_sdk) = Software::find_js_sdk() else {
        return;
    };
    let server = Server::start_alone();
    let mut talk = Talk::begin(&server, None, [&js_sdk, &js_sdk]);
    talk.verify_each_other();
    talk.go_on_through("a restart", || server.kill(), || server.start());
    talk.change_devices();
    server.check_log();
}

/// Both clients, and somebody on Synapse, which `cargo xtask clients` installs.
mod decrypts_everywhere {
    use super::{Servers, Software, everywhere};

    #[test]
    fn with_js_sdk_first() {
        if let Some((js_sdk, rust_sdk, servers)) = find_all() {
            everywhere(&servers, [&js_sdk, &rust_sdk]);
        }
    }

    #[test]
    fn with_rust_sdk_first() {
        if let Some((js_sdk, rust_sdk, servers)) = find_all() {
            everywhere(&servers, [&rust_sdk, &js_sdk]);
        }
    }

    fn find_all() -> Option<(Software, Software, Servers)> {
        let (js_sdk, rust_sdk) = (Software::find_js_sdk()?, Software::find_rust_sdk()?);
        Some((js_sdk, rust_sdk, Servers::start_with_nodes()?))
    }
}

fn everywhere(servers: &Servers, software: [&Software; 2]) {
    let myelin = &servers.myelin;
    let mut talk = Talk::begin(myelin, Some(&servers.synapse), software);
    talk.verify_each_other();
    talk.go_on_through("a restart", || myelin.kill(), || myelin.start());
    talk.go_on_through("a change of node", || myelin.kill_node(), || ());
    talk.change_devices();
    servers.check_logs();
}

/// A room, who is in it, and what was said there.
struct Talk<'a> {
    begun: Instant,
    software: [&'a Software; 2],
    people: Vec<Person<'a>>,
    room: String,
    said: Vec<String>,
}

/// Somebody with two devices, each of another kind than the other.
struct Person<'a> {
    name: &'static str,
    server: &'a Server,
    devices: Vec<Device>,
    recovery_key: String,
}

impl<'a> Person<'a> {
    /// The second device gets from the first what only devices of the same person have.
    fn begin(server: &'a Server, name: &'static str, [first, second]: [&Software; 2]) -> Self {
        let first = Device::register(first, server, name);
        let recovery_key = first.bootstrap();
        let second = Device::log_in(second, server, name);
        for (one, other) in [(&first, &second), (&second, &first)] {
            one.comes_to_know(other);
        }
        first.distrusts(&second);
        first.verify(&second, None);
        for (one, other) in [(&first, &second), (&second, &first)] {
            one.comes_to_trust(other);
            one.comes_to_have_secrets();
        }
        let devices = vec![first, second];
        Self {
            name,
            server,
            devices,
            recovery_key,
        }
    }

    fn first(&self) -> &Device {
        &self.devices[0]
    }

    /// On all devices, whichever has verified the other person.
    fn comes_to_trust(&self, other: &Person<'_>) {
        for device in &self.devices {
            device.comes_to_trust_user(other.first());
            for device_of_other in &other.devices {
                device.comes_to_trust(device_of_other);
            }
        }
    }
}

impl<'a> Talk<'a> {
    /// Two people here, and one on another server if there is one, come together and speak.
    fn begin(here: &'a Server, there: Option<&'a Server>, software: [&'a Software; 2]) -> Self {
        let begun = Instant::now();
        let [one, other] = software;
        let mut people = vec![
            Person::begin(here, "alice", [one, other]),
            Person::begin(here, "bob", [other, one]),
        ];
        people.extend(there.map(|there| Person::begin(there, "carol", [one, other])));
        let users: Vec<&str> = people.iter().map(|it| it.first().user.as_str()).collect();
        let room = people[0].first().create_room(&users[1..]);
        for person in &people[1..] {
            person.first().join(&room);
        }
        for person in &people {
            person.first().comes_to_see_members(&room, &users);
        }
        let mut talk = Self {
            begun,
            software,
            people,
            room,
            said: Vec::new(),
        };
        talk.meet();
        talk.speak("hello");
        talk
    }

    /// Everybody's first device verifies everybody else's; the other devices learn of it.
    fn verify_each_other(&mut self) {
        for (number, one) in self.people.iter().enumerate() {
            for other in &self.people[number + 1..] {
                let room = one.first().meet_in_private(other.first());
                one.first().verify(other.first(), Some(&room));
                one.comes_to_trust(other);
                other.comes_to_trust(one);
            }
        }
        self.speak("now I know that it is you");
    }

    /// All speak at the moment of a blow, and again after it.
    fn go_on_through(&mut self, what: &str, blow: impl FnOnce(), mend: impl FnOnce()) {
        self.tell(what);
        blow();
        self.begin_to_speak(&format!("what is this, {what}?"));
        mend();
        self.end_speaking();
        self.speak("where were we");
    }

    /// Those of this server get a new device each, which reads what was said before it came, and
    /// give an old one up.
    fn change_devices(&mut self) {
        let software = self.software;
        for (person, software) in self.people.iter_mut().zip([software[1], software[0]]) {
            tell(self.begun, &format!("{} gets a third device", person.name));
            for device in &person.devices {
                device.comes_to_be_backed_up();
            }
            let third = Device::log_in(software, person.server, person.name);
            third.restore(&person.recovery_key);
            third.comes_to_have_secrets();
            third.comes_to_read(&self.room, &self.said);
            person.devices.push(third);
        }
        self.meet();
        for device in self.devices() {
            for other in self.devices() {
                device.comes_to_trust(other);
            }
        }
        self.speak("from the new one, too");
        let given_up: Vec<Device> = self.people[..2]
            .iter_mut()
            .map(|person| person.devices.remove(1))
            .collect();
        for device in &given_up {
            device.log_out();
            for other in self.devices() {
                other.comes_to_forget(device);
            }
        }
        self.speak("good night");
    }

    fn devices(&self) -> impl Iterator<Item = &Device> + Clone {
        self.people.iter().flat_map(|person| &person.devices)
    }

    /// Everybody knows all devices: keys are sent to those that are known.
    fn meet(&self) {
        for device in self.devices() {
            for other in self.devices() {
                device.comes_to_know(other);
            }
        }
    }

    /// Each device says something, and each reads all that was said.
    fn speak(&mut self, words: &str) {
        self.begin_to_speak(words);
        self.end_speaking();
    }

    fn begin_to_speak(&mut self, words: &str) {
        let mut said = Vec::new();
        for device in self.devices() {
            let words = format!("{words} ({} {})", device.user, device.id);
            device.begin_to_say(&self.room, &words);
            said.push(words);
        }
        self.said.extend(said);
    }

    fn end_speaking(&self) {
        for device in self.devices() {
            device.end_saying();
        }
        for device in self.devices() {
            device.comes_to_read(&self.room, &self.said);
        }
        self.tell(&format!(
            "all {} messages are read on all devices",
            self.said.len()
        ));
    }

    fn tell(&self, what: &str) {
        tell(self.begun, what);
    }
}

/// How far it has come, for those who wait.
fn tell(begun: Instant, what: &str) {
    println!("{:5.1} s  {what}", begun.elapsed().as_secs_f64());
}
