//! The guide and the front page, as somebody uses them who reads them.

use serde_json::Value;

use crate::{chromium::Chromium, start_server};

/// Helpers in the page: `press(step, api)` sends a step's request and gives its status and answer.
const HELPERS: &str = r#"
const until = async (what) => {
    const end = performance.now() + 20000;
    while (!what()) {
        if (performance.now() > end) throw new Error("it never came: " + what);
        await new Promise((go) => setTimeout(go, 10));
    }
};
const press = async (step, api) => {
    const call = document.querySelector(`[data-step="${step}"] .call.${api}`);
    delete call.dataset.status;
    call.querySelector("button.send").click();
    await until(() => call.dataset.status);
    return call.dataset.status + " " + call.querySelector(".answer pre").textContent;
};
const field = (step, name) => document.querySelector(`[data-step="${step}"] [name="${name}"]`);
const set = (input, value) => {
    input.value = value;
    input.dispatchEvent(new Event("input", { bubbles: true }));
};
"#;

#[test]
fn every_step_of_the_guide_works_on_both_sides() {
    let Some(mut browser) = Chromium::start() else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let (_server, url) = start_server(&data);
    browser.resize(1280, 900, false);
    browser.open(&format!("{url}/_myelin/guide"));
    browser.evaluate(HELPERS);
    for step in [
        "register",
        "ask-login",
        "login",
        "create",
        "send",
        "invite",
        "accept",
        "leave",
        "join",
        "everything",
        "history",
        "members",
    ] {
        for api in ["v1", "v3"] {
            let answer = press(&mut browser, step, api);
            // Whom the other side has let in is there already, and whom it has let go is gone:
            // to ask for it again does nothing.
            assert_eq!(answer.0, 200, "{step} {api}: {}", answer.1);
        }
    }
    what_is_learnt_is_filled_in(&mut browser);
    a_waiting_request_is_answered_by_a_message(&mut browser);
    the_curl_command_is_the_guide_s(&mut browser, &url);
    browser.picture("guide-light");
    browser.resize(1280, 900, true);
    browser.picture("guide-dark");
    browser.resize(390, 844, false);
    browser.picture("guide-phone");
    let width = "document.documentElement.scrollWidth";
    assert_eq!(
        browser.evaluate(width),
        390,
        "nothing sticks out on a phone"
    );
}

fn what_is_learnt_is_filled_in(browser: &mut Chromium) {
    let text = |browser: &mut Chromium, step: &str, name: &str| {
        let value = browser.evaluate(&format!("field('{step}', '{name}').value"));
        value.as_str().unwrap_or_default().to_owned()
    };
    let (alice, bob) = (
        text(browser, "send", "token"),
        text(browser, "join", "token"),
    );
    assert!(!alice.is_empty() && !bob.is_empty() && alice != bob);
    assert!(text(browser, "invite", "user").starts_with("@bob-"));
    assert!(text(browser, "send", "room").starts_with('!'));
    assert!(text(browser, "join", "alias").starts_with("#tutorial-"));
    assert!(text(browser, "live", "from").starts_with('s'));
    assert!(!text(browser, "live", "since").is_empty());
}

fn a_waiting_request_is_answered_by_a_message(browser: &mut Chromium) {
    for api in ["v1", "v3"] {
        browser.evaluate("set(field('send', 'text'), 'are you there?')");
        let expression = format!(
            "(async () => {{
                const heard = press('live', '{api}');
                await press('send', '{api}');
                return await heard;
            }})()"
        );
        let heard = browser.evaluate(&expression);
        let heard = heard.as_str().unwrap();
        assert!(heard.starts_with("200 "), "{heard}");
        assert!(heard.contains("are you there?"), "{heard}");
    }
}

fn the_curl_command_is_the_guide_s(browser: &mut Chromium, url: &str) {
    browser.evaluate(
        "set(field('register', 'name'), 'example'); set(field('register', 'password'), \"it's\")",
    );
    let shown = "document.querySelector('#register .v1 pre').textContent";
    let command = browser.evaluate(shown);
    let wanted = format!(
        "curl -XPOST \\\n    -d '{{\"user_id\":\"example\",\"password\":\"it'\\''s\"}}' \\\n    \
         '{url}/_matrix/client/api/v1/register'"
    );
    assert_eq!(command, wanted.as_str());
}

#[test]
fn the_application_talks_through_both_apis() {
    let Some(mut browser) = Chromium::start() else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let (_server, url) = start_server(&data);
    browser.resize(1280, 900, false);
    browser.open(&format!("{url}/_myelin/guide"));
    browser.evaluate(HELPERS);
    for (step, api) in [
        ("register", "v1"),
        ("register", "v3"),
        ("create", "v3"),
        ("send", "v1"),
        ("invite", "v1"),
    ] {
        assert_eq!(press(&mut browser, step, api).0, 200, "{step}");
    }
    for (api, user) in [("v1", "bob"), ("v3", "alice")] {
        let opened = format!(
            "(async () => {{
                const app = document.getElementById('app');
                const token = field('{step}', 'token').value;
                app.querySelector('[name=token]').value = token;
                app.querySelector('[value={api}]').checked = true;
                app.querySelector('.app-bar button').click();
                await until(() => app.querySelector('.rooms button'));
                app.querySelector('.rooms button').click();
                await until(() => app.querySelectorAll('.members li').length === 2);
                await until(() => !app.querySelector('.say input').disabled);
                app.querySelector('.say input').value = 'hello from {api}';
                app.querySelector('.say button').click();
                const said = () => [...app.querySelectorAll('.messages li')]
                    .filter((item) => item.textContent.endsWith('hello from {api}')).length;
                await until(() => said() > 0);
                return said() + ' ' + app.querySelector('.messages').textContent;
            }})()",
            step = if user == "bob" { "accept" } else { "send" },
        );
        let said = browser.evaluate(&opened);
        let said = said.as_str().unwrap();
        assert!(said.starts_with("1 "), "it comes once: {said}");
        assert!(said.contains("joined"), "{said}");
        browser.evaluate("document.getElementById('application').scrollIntoView()");
        browser.picture(&format!("application-{api}"));
    }
    // The other side sees it arrive.
    let send = "(async () => {
        set(field('send', 'text'), 'from outside');
        await press('send', 'v1');
        const messages = document.querySelector('#app .messages');
        await until(() => messages.textContent.includes('from outside'));
        return true;
    })()";
    assert_eq!(browser.evaluate(send), true);
}

#[test]
fn the_guide_can_be_used_without_a_mouse() {
    let Some(mut browser) = Chromium::start() else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let (_server, url) = start_server(&data);
    browser.open(&format!("{url}/_myelin/guide"));
    browser.evaluate(HELPERS);
    browser.press("Tab", 9);
    let focused = "document.activeElement.textContent";
    assert_eq!(browser.evaluate(focused), "Skip to the guide");
    browser.evaluate("field('register', 'name').select(); field('register', 'name').focus()");
    browser.insert("carol");
    for _ in 0..4 {
        browser.press("Tab", 9);
    }
    assert_eq!(browser.evaluate(focused), "Send");
    browser.press(" ", 32);
    let answered = "(async () => {
        const call = document.querySelector('#register .v1');
        await until(() => call.dataset.status);
        return call.querySelector('.answer pre').textContent;
    })()";
    let answer = browser.evaluate(answered);
    assert!(
        answer.as_str().unwrap().contains("@carol:localhost"),
        "{answer}"
    );
    let nameless = "[...document.querySelectorAll('input, button, select')]
        .filter((part) => !(part.labels?.length || part.ariaLabel || part.textContent.trim()))
        .map((part) => part.outerHTML)";
    assert_eq!(browser.evaluate(nameless), Value::Array(Vec::new()));
}

#[test]
fn the_front_page_says_what_is_running() {
    let Some(mut browser) = Chromium::start() else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let (_server, url) = start_server(&data);
    for (width, height, dark, name) in [
        (1280, 900, false, "front-light"),
        (1280, 900, true, "front-dark"),
        (390, 844, false, "front-phone"),
    ] {
        browser.resize(width, height, dark);
        browser.open(&format!("{url}/"));
        let text = browser.evaluate("document.body.innerText");
        for part in ["Myelin", "localhost", env!("CARGO_PKG_VERSION"), "guide"] {
            assert!(text.as_str().unwrap().contains(part), "{part} in {text}");
        }
        let shown = browser.evaluate("document.documentElement.scrollWidth");
        assert_eq!(shown, width, "nothing sticks out");
        browser.picture(name);
    }
    browser.resize(390, 844, false);
    browser.open(&format!("{url}/_matrix/static/client/login/"));
    browser.picture("login-phone");
}

/// Status and answer.
fn press(browser: &mut Chromium, step: &str, api: &str) -> (u16, String) {
    let answer = browser.evaluate(&format!("press('{step}', '{api}')"));
    let answer = answer.as_str().unwrap();
    let (status, text) = answer.split_once(' ').unwrap();
    (status.parse().unwrap_or_default(), text.to_owned())
}
