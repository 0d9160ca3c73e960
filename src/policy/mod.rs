//! From verdicts to alerts: tiers, the alert state machine, hold-back, episodes (SEMANTICS 6).
//!
//! Pure. Decides and returns what has to be recorded and told, with ids; it sends nothing. Running it twice on the same
//! verdicts gives the same transitions with the same ids. Invariants: a firing alert never ends by time alone; every
//! transition has a reason in words and numbers; ids are made of names, the episode's begin and counts.
//!
//! `tier` moves one condition, `machine` and `instance` the alerts of one instance, `book` all those of an SLO; `source`
//! is a source's own alert; `current` says how an open one stands now. `naming` has what other tools call their alerts, `annotation` fills their placeholders.
//! `desk` decides who hears of an alert, when and how often.
//! `catch_up` thins out what was missed, `state` makes it durable, `route` and `card` are for those who send. `act` is what
//! people may do, `silence` and `quiet` keep from telling, `evidence` and `report` are parts of what is told.
//! `template` is an operator's text in place of the card, `sample` what it is tried on.

pub mod act;
pub mod ahead;
pub mod alert;
pub mod annotation;
pub mod audit;
pub mod book;
pub mod card;
pub mod catch_up;
pub mod closed;
pub mod compile;
pub mod current;
pub mod describe;
pub mod desk;
pub mod detection;
pub mod episode;
pub mod evidence;
pub mod facts;
pub mod figure;
pub mod group;
pub mod heartbeat;
pub mod instance;
pub mod machine;
pub mod naming;
pub mod notification;
pub mod quiet;
pub mod reason;
mod rename;
pub mod report;
pub mod route;
pub mod sample;
pub mod several;
pub mod silence;
pub mod source;
pub mod state;
pub mod subject;
pub mod template;
pub mod tier;
pub mod view;
