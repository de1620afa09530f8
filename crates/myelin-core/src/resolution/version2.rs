//! Versions 2 and 2.1 of the algorithm, for room versions 2 to 11 and from 12 on.

use std::{collections::BTreeSet, sync::Arc};

use ruma::room_version_rules::StateResolutionV2Rules;

use super::{
    Changes,
    auth_difference::AuthDifference,
    checks::{Sources, State},
    conflicts::Conflicts,
    graph::POWER_LEVELS,
    known::Known,
    mainline::Mainline,
    power_order,
    subgraph::Subgraph,
};

#[derive(Debug)]
pub(super) struct Version2 {
    rules: StateResolutionV2Rules,
    conflicts: Arc<Conflicts>,
    stage: Stage,
    /// The full conflicted set, as far as it is known.
    full: BTreeSet<i64>,
    state: State,
}

#[derive(Debug)]
enum Stage {
    Difference(AuthDifference),
    Subgraph(Subgraph),
    Power,
    Rest(Mainline),
}

impl Version2 {
    pub(super) fn new(rules: StateResolutionV2Rules, conflicts: Arc<Conflicts>) -> Version2 {
        let sources = Sources {
            entries: !rules.begin_iterative_auth_checks_with_empty_state_map,
            auth_events: true,
        };
        Version2 {
            rules,
            stage: Stage::Difference(AuthDifference::new(Arc::clone(&conflicts))),
            full: conflicts.events().into_keys().collect(),
            state: State::new(Arc::clone(&conflicts), sources),
            conflicts,
        }
    }

    /// Goes on: what the resolution changes, or None while something has to be loaded.
    pub(super) fn advance(&mut self, known: &mut Known) -> Option<Changes> {
        loop {
            self.stage = match &mut self.stage {
                Stage::Difference(difference) => {
                    self.full.extend(difference.advance(known)?);
                    self.after_difference()
                }
                Stage::Subgraph(subgraph) => {
                    self.full.extend(subgraph.advance(known)?);
                    Stage::Power
                }
                Stage::Power => {
                    self.load(known)?;
                    Stage::Rest(self.resolve_power(known))
                }
                Stage::Rest(mainline) => {
                    let rest = mainline.advance(known)?;
                    self.state.enter(known, &rest);
                    return Some(self.changes(known));
                }
            };
        }
    }

    fn after_difference(&self) -> Stage {
        if self.rules.consider_conflicted_state_subgraph {
            let conflicted = self.conflicts.events().into_keys();
            Stage::Subgraph(Subgraph::new(conflicted.collect()))
        } else {
            Stage::Power
        }
    }

    /// Asks for all that the checks and the orderings look at.
    fn load(&self, known: &mut Known) -> Option<()> {
        let mut is_known = self.state.prepare(known, &self.full).is_some();
        if !self.conflicts.has(POWER_LEVELS) {
            is_known &= known.entry(POWER_LEVELS).is_some();
        }
        for event in &self.full {
            let Some(Some(place)) = known.place(*event) else {
                continue;
            };
            if !self.conflicts.has(place.key) {
                is_known &= known.entry(place.key).is_some();
            }
            let is_power = known.known_event(*event);
            let is_power = is_power.is_some_and(|event| power_order::is_power_event(&event.event));
            if is_power {
                is_known &= self.load_levels(known, *event).is_some();
            }
        }
        is_known.then_some(())
    }

    /// Asks for the power levels that a power event, and what it cites, was sent under.
    fn load_levels(&self, known: &mut Known, event: i64) -> Option<()> {
        let mut is_known = true;
        for event in power_order::with_cited(known, &[event], &self.full).into_keys() {
            let levels = known.known_place(event).and_then(|it| it.power_levels);
            if let Some(levels) = levels {
                is_known &= known.event(levels).is_some();
            }
        }
        is_known.then_some(())
    }

    /// Steps 1 and 2: power events. What is left goes into the order of the mainline.
    fn resolve_power(&mut self, known: &Known) -> Mainline {
        // What was not accepted, or is not there, takes no part.
        self.full.retain(|event| {
            known.known_event(*event).is_some() && known.known_place(*event).is_some()
        });
        let power = self.full.iter().copied().filter(|event| {
            let event = known.known_event(*event);
            event.is_some_and(|event| power_order::is_power_event(&event.event))
        });
        let cited = power_order::with_cited(known, &power.collect::<Vec<_>>(), &self.full);
        let mut rest = self.full.clone();
        rest.retain(|event| !cited.contains_key(event));
        let sorted = power_order::sort(known, cited, self.state.create(known));
        self.state.enter(known, &sorted);
        let power_levels = self.state.get(known, POWER_LEVELS);
        Mainline::new(known, power_levels, rest.into_iter().collect())
    }

    /// Step 5: the forks' agreement stands.
    fn changes(&self, known: &Known) -> Changes {
        let resolved = self.state.entries();
        let conflicted = self.conflicts.keys.iter();
        let conflicted = conflicted
            .map(|(key, forks)| (*key, forks[0], resolved.get(key).copied()))
            .filter(|(_, first, resolved)| first != resolved)
            .map(|(key, _, resolved)| (key, resolved));
        let is_new = |key| !self.conflicts.has(key) && known.known_entry(key).is_none();
        let new = resolved.iter().filter(|(key, _)| is_new(**key));
        let new = new.map(|(key, event)| (*key, Some(*event)));
        Changes {
            entries: conflicted.chain(new).collect(),
            events: self.full.len(),
        }
    }
}
