//! The mainline ordering.
//!
//! The mainline of a room that was often moderated is long, and of most events the place on it is near
//! its newer end. So the mainline and the lines of the events are followed at the same time, that which
//! is at the greatest generation first: a line that comes to the mainline finds it there.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use super::known::Known;

/// Finds where the lines of power levels of some events meet the mainline.
#[derive(Debug)]
pub(super) struct Mainline {
    events: Vec<i64>,
    /// Where lines are, by generation and event.
    at: BTreeMap<(i64, i64), Lines>,
    /// Lines at events whose places are not known yet.
    arrivals: Vec<(i64, Lines)>,
    /// How much of the mainline was followed.
    followed: usize,
    /// Where the lines that begin at these events meet the mainline.
    met: HashMap<i64, usize>,
}

/// Lines that are at the same event.
#[derive(Debug, Default)]
struct Lines {
    /// Where they began.
    from: Vec<i64>,
    /// Whether the mainline is there, too.
    has_mainline: bool,
}

impl Mainline {
    /// The mainline of a power levels event, for some events whose places are known.
    pub(super) fn new(known: &Known, power_levels: Option<i64>, events: Vec<i64>) -> Mainline {
        let mut arrivals = Vec::new();
        if let Some(mainline) = power_levels {
            let starts: BTreeSet<i64> = events
                .iter()
                .filter_map(|event| known.known_place(*event)?.power_levels)
                .collect();
            let line = |start| Lines {
                from: vec![start],
                has_mainline: false,
            };
            arrivals.extend(starts.into_iter().map(|start| (start, line(start))));
            let lines = Lines {
                from: Vec::new(),
                has_mainline: true,
            };
            arrivals.push((mainline, lines));
        }
        Mainline {
            events,
            at: BTreeMap::new(),
            arrivals,
            followed: 0,
            met: HashMap::new(),
        }
    }

    /// Goes on: the events in their order, or None while something has to be loaded.
    pub(super) fn advance(&mut self, known: &mut Known) -> Option<Vec<i64>> {
        loop {
            self.arrive(known);
            if !self.arrivals.is_empty() {
                self.look_ahead(known);
                return None;
            }
            let are_there = |wanted: fn(&Lines) -> bool| self.at.values().any(wanted);
            let may_meet =
                are_there(|lines| lines.has_mainline) && are_there(|lines| !lines.from.is_empty());
            let Some((place, lines)) = may_meet.then(|| self.at.pop_last()).flatten() else {
                return Some(self.sort(known));
            };
            self.follow(known, place.1, lines);
        }
    }

    /// Puts lines where their events are in the graph. One that leads to what was not accepted ends.
    fn arrive(&mut self, known: &mut Known) {
        for (event, lines) in std::mem::take(&mut self.arrivals) {
            match known.place(event) {
                Some(Some(place)) => {
                    let there = self.at.entry((place.generation, event)).or_default();
                    there.from.extend(lines.from);
                    there.has_mainline |= lines.has_mainline;
                }
                Some(None) => {}
                None => self.arrivals.push((event, lines)),
            }
        }
    }

    /// While one line waits, the others ask for what they will need.
    fn look_ahead(&self, known: &mut Known) {
        for (_, event) in self.at.keys() {
            let next = known.known_place(*event).and_then(|it| it.power_levels);
            if let Some(next) = next {
                known.place(next);
            }
        }
    }

    /// Takes the lines at an event one step further.
    fn follow(&mut self, known: &Known, event: i64, mut lines: Lines) {
        if lines.has_mainline {
            let met = lines.from.drain(..).map(|start| (start, self.followed));
            self.met.extend(met);
            self.followed += 1;
        }
        let next = known.known_place(event).and_then(|it| it.power_levels);
        self.arrivals.extend(next.map(|next| (next, lines)));
    }

    fn sort(&mut self, known: &Known) -> Vec<i64> {
        let mut ranked = Vec::with_capacity(self.events.len());
        for number in std::mem::take(&mut self.events) {
            let (Some(event), Some(place)) = (known.known_event(number), known.known_place(number))
            else {
                continue;
            };
            let met = place.power_levels.and_then(|start| self.met.get(&start));
            // What does not meet the mainline is older than all of it.
            let position = met.copied().unwrap_or(usize::MAX);
            let event = &event.event;
            let order = (event.origin_server_ts, event.event_id.clone());
            ranked.push((Reverse(position), order, number));
        }
        ranked.sort_unstable();
        ranked.into_iter().map(|(.., number)| number).collect()
    }
}
