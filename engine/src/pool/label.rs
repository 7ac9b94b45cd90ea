//! Who holds memory: a small fixed table of names, so that an exhausted pool can say who.

use std::sync::OnceLock;

/// Names a pool tells apart; further ones count as `other`.
const NAMES_MAX: usize = 32;

/// Length of a table with one entry a label.
pub(super) const LABELS: usize = NAMES_MAX + 1;

/// The place of a name in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label(u8);

impl Label {
    const OTHER: Self = Self(NAMES_MAX as u8);

    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

#[derive(Default)]
pub(super) struct Labels {
    names: [OnceLock<&'static str>; NAMES_MAX],
}

impl Labels {
    pub(super) fn intern(&self, name: &'static str) -> Label {
        for (i, cell) in self.names.iter().enumerate() {
            if *cell.get_or_init(|| name) == name {
                return Label(i as u8);
            }
        }
        Label::OTHER
    }

    pub(super) fn name(&self, label: Label) -> &'static str {
        self.names.get(label.index()).and_then(OnceLock::get).copied().unwrap_or("other")
    }

    /// Names with something in `units_by_label`, largest first.
    pub(super) fn holders(&self, units_by_label: &[u32; LABELS]) -> Vec<(&'static str, u32)> {
        let mut holders: Vec<_> = units_by_label
            .iter()
            .enumerate()
            .filter(|(_, units)| **units > 0)
            .map(|(i, units)| (self.name(Label(i as u8)), *units))
            .collect();
        holders.sort_by_key(|(_, units)| std::cmp::Reverse(*units));
        holders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_place_and_the_surplus_is_other() {
        let labels = Labels::default();
        let letters = "abcdefghijklmnopqrstuvwxyz0123456789";
        let names: Vec<&'static str> = (0..NAMES_MAX + 3).map(|i| &letters[i..=i]).collect();
        let interned: Vec<Label> = names.iter().map(|name| labels.intern(name)).collect();
        for i in 0..NAMES_MAX {
            assert_eq!(labels.intern(names[i]), interned[i]);
            assert_eq!(labels.name(interned[i]), names[i]);
        }
        for label in &interned[NAMES_MAX..] {
            assert_eq!(labels.name(*label), "other");
        }
    }

    #[test]
    fn holders_come_largest_first() {
        let labels = Labels::default();
        let (small, large) = (labels.intern("small"), labels.intern("large"));
        labels.intern("none");
        let mut units = [0; LABELS];
        units[small.index()] = 1;
        units[large.index()] = 7;
        units[Label::OTHER.index()] = 3;
        assert_eq!(labels.holders(&units), [("large", 7), ("other", 3), ("small", 1)]);
    }
}
