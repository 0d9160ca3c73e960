//! The demo's course: what happens in the shop and what the service says, put on the screen until the page is over.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::cli::demo::screen::Screen;
use crate::cli::demo::shop::Shop;
use crate::cli::printer::Paint;
use crate::clock::Clock;
use crate::policy::alert::AlertState;
use crate::policy::card;
use crate::policy::notification::Notification;
use crate::runtime::service::Service;
use crate::spec::policy::AlertSeverity;
use crate::units::{Length, Timestamp};

/// How often the screen is drawn.
const FRAME: Duration = Duration::from_millis(100);
/// The demo looks on for this long after the page was resolved, so that its end can be seen.
const LOOK_ON: Length = Length::from_minutes(3);
/// When the page should have come and gone by, in the demo's time.
const OVERDUE: Length = Length::from_minutes(115);

/// How the demo ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Paged and resolved.
    Recovered,
    /// Somebody stopped it.
    Interrupted(&'static str),
    /// The page did not come or did not end.
    Stuck,
}

/// Everything that the course is made of.
pub struct Stage {
    /// The shop.
    pub shop: Shop,
    /// The demo's clock.
    pub clock: Clock,
    /// The running service.
    pub service: Arc<dyn Service>,
    /// Goes on after the recovery.
    pub keep: bool,
}

impl Stage {
    /// Draws until the page was resolved, or for ever with `keep`.
    pub async fn run(&self, screen: &mut Screen<'_>, mut cards: mpsc::Receiver<Notification>) -> Outcome {
        let mut frame = tokio::time::interval(FRAME);
        let mut phase = "";
        let mut resolved_at: Option<Timestamp> = None;
        loop {
            tokio::select! {
                _ = frame.tick() => {
                    let now = self.clock.now();
                    let present = self.shop.phase(now).name;
                    if present != phase {
                        phase = present;
                        screen.event(now, "shop", Paint::Cyan, present);
                    }
                    screen.figures(now, &self.service.instances());
                    let over = resolved_at.is_some_and(|at| now > at + LOOK_ON);
                    if over && !self.keep {
                        return Outcome::Recovered;
                    }
                    if resolved_at.is_none() && now > self.shop.opened + OVERDUE {
                        return Outcome::Stuck;
                    }
                }
                Some(notification) = cards.recv() => {
                    let now = self.clock.now();
                    let (who, paint) = match (notification.state, notification.severity) {
                        (AlertState::Resolved, _) => ("end", Paint::Green),
                        (_, AlertSeverity::Page) => ("PAGE", Paint::Red),
                        (_, AlertSeverity::Ticket | AlertSeverity::Notice) => ("ticket", Paint::Yellow),
                    };
                    screen.event(now, who, paint, &card::render(&notification));
                    let page = notification.severity == AlertSeverity::Page;
                    if page && notification.state == AlertState::Resolved {
                        resolved_at = Some(now);
                    }
                }
            }
        }
    }
}
