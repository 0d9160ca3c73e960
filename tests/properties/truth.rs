//! The oracle against the generator: what it books is what the processes truly counted.

use proptest::{prop_assert_eq, prop_assume, proptest};

use super::cases;
use crate::oracle::exact::{count, whole};
use crate::oracle::ledger::ledger;
use crate::oracle::traffic::{recipes, traffic};
use crate::oracle::window::sums;

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn the_oracle_counts_what_the_processes_counted(mut recipe in recipes(150)) {
        recipe.trouble.relabels = false;
        recipe.trouble.vanishing = false;
        recipe.trouble.starts = false;
        recipe.trouble.late = false;
        prop_assume!(recipe.truth_is_known());
        let traffic = traffic(&recipe);
        let w = traffic.end / traffic.setting.slice * traffic.setting.slice;
        for group in traffic.world.groups(&traffic.setting) {
            let book = ledger(&traffic.world.known_at(w), &traffic.setting, &group, w);
            let (events, total, _) = sums(&book, 0, w);
            let mine = || traffic.truth.iter().filter(|truth| truth.group == group && truth.at <= w);
            prop_assert_eq!(count(events), whole(mine().map(|truth| truth.events).sum()));
            prop_assert_eq!(count(total), whole(mine().map(|truth| truth.total).sum()));
        }
    }
}
