//! Passwords from whoever types a command: from a file, a prompt that shows nothing, or a pipe.

use std::{
    fs,
    io::{self, IsTerminal, Write},
    path::Path,
};

use anyhow::{Context, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// Reads a new password.
pub(crate) fn read_new_password(file: Option<&Path>) -> anyhow::Result<String> {
    let password = match file {
        Some(file) => {
            let text = fs::read_to_string(file)
                .with_context(|| format!("cannot read the password from {}", file.display()))?;
            first_line(&text)
        }
        None if io::stdin().is_terminal() => {
            let password = prompt("Password: ")?;
            if prompt("Again: ")? != password {
                bail!("the passwords differ; nothing was changed");
            }
            password
        }
        None => read_line()?,
    };
    if password.is_empty() {
        bail!("the password is empty");
    }
    Ok(password)
}

/// Asks on the terminal, which shows nothing of the answer.
fn prompt(question: &str) -> anyhow::Result<String> {
    let mut error = io::stderr();
    error.write_all(question.as_bytes())?;
    error.flush()?;
    let hidden = Hidden::new()?;
    let line = read_line();
    drop(hidden);
    // The end of line was not shown either.
    error.write_all(b"\n")?;
    line
}

fn read_line() -> anyhow::Result<String> {
    let mut line = String::new();
    io::stdin()
        .read_line(&mut line)
        .context("cannot read the password")?;
    Ok(first_line(&line))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// A terminal that does not show what is typed, until it is dropped.
struct Hidden {
    before: Termios,
}

impl Hidden {
    fn new() -> anyhow::Result<Self> {
        let before = tcgetattr(io::stdin()).context("cannot use the terminal")?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)
            .context("the terminal cannot hide a password")?;
        Ok(Self { before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing anyway.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_first_line_of_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        for (text, password) in [("secret", "secret"), (" a b \r\nmore\n", " a b ")] {
            fs::write(&file, text).unwrap();
            assert_eq!(read_new_password(Some(&file)).unwrap(), password);
        }
        fs::write(&file, "\nsecret").unwrap();
        let error = read_new_password(Some(&file)).unwrap_err();
        assert_eq!(error.to_string(), "the password is empty");
        let error = read_new_password(Some(&dir.path().join("none"))).unwrap_err();
        assert!(error.to_string().contains("none"), "{error}");
    }
}
