//! Parts that come in any order, handed on in theirs.

use super::PlanError;

/// A window of `window_parts` consecutive parts, the first of which is the next to be handed on.
///
/// Its memory is fixed when it is made; a part beyond the window is refused, so what is held back
/// for order is bounded.
#[derive(Debug)]
pub struct InOrder<T> {
    slots: Box<[Option<T>]>,
    next_index: u64,
    held: usize,
}

impl<T> InOrder<T> {
    /// A window for parts from index 0 on.
    pub fn new(window_parts: usize) -> Result<Self, PlanError> {
        if window_parts == 0 {
            return Err(PlanError::ZeroSetting { setting: "window_parts" });
        }
        let slots = std::iter::repeat_with(|| None).take(window_parts).collect();
        Ok(Self { slots, next_index: 0, held: 0 })
    }

    /// Puts a part in. One that is behind or beyond the window, or already there, is refused and
    /// dropped.
    pub fn push(&mut self, index: u64, part: T) -> Result<(), PlanError> {
        let slot = self.slot(index);
        if !self.has_room_for(index) || self.slots[slot].is_some() {
            let end = self.end();
            return Err(PlanError::UnexpectedPart { index, first: self.next_index, end });
        }
        self.slots[slot] = Some(part);
        self.held += 1;
        Ok(())
    }

    /// Takes the next part of the order, if it is there; the window moves on by one.
    pub fn pop_next(&mut self) -> Option<T> {
        let slot = self.slot(self.next_index);
        let part = self.slots[slot].take()?;
        self.next_index += 1;
        self.held -= 1;
        Some(part)
    }

    /// Index of the part that [`pop_next`](Self::pop_next) waits for.
    pub fn next_index(&self) -> u64 {
        self.next_index
    }

    /// Whether `index` lies within the window now.
    pub fn has_room_for(&self, index: u64) -> bool {
        (self.next_index..self.end()).contains(&index)
    }

    /// How many parts are held.
    pub fn len(&self) -> usize {
        self.held
    }

    /// Whether no part is held.
    pub fn is_empty(&self) -> bool {
        self.held == 0
    }

    fn end(&self) -> u64 {
        self.next_index.saturating_add(self.slots.len() as u64)
    }

    fn slot(&self, index: u64) -> usize {
        (index % self.slots.len() as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_window_is_exact() {
        let mut order = InOrder::new(3).unwrap();
        assert_eq!(order.pop_next(), None);
        order.push(2, 'c').unwrap();
        let refused =
            |index, first| Err(PlanError::UnexpectedPart { index, first, end: first + 3 });
        assert_eq!(order.push(3, 'd'), refused(3, 0));
        assert_eq!(order.push(2, 'x'), refused(2, 0));
        assert_eq!(order.pop_next(), None);
        order.push(0, 'a').unwrap();
        assert_eq!(order.len(), 2);
        assert_eq!(order.pop_next(), Some('a'));
        assert_eq!(order.push(0, 'a'), refused(0, 1));
        order.push(3, 'd').unwrap();
        assert_eq!(order.push(4, 'e'), refused(4, 1));
        order.push(1, 'b').unwrap();
        let rest: String = std::iter::from_fn(|| order.pop_next()).collect();
        assert_eq!((rest.as_str(), order.next_index(), order.is_empty()), ("bcd", 4, true));
    }

    #[test]
    fn a_window_of_nothing_is_refused() {
        let zero = PlanError::ZeroSetting { setting: "window_parts" };
        assert_eq!(InOrder::<()>::new(0).map(|_| ()), Err(zero));
    }

    proptest! {
        #[test]
        fn any_order_within_the_window_comes_out_in_order(
            window in 1usize..9,
            choices in prop::collection::vec(any::<prop::sample::Index>(), 0..80),
        ) {
            let mut order = InOrder::new(window).unwrap();
            let mut pending: Vec<u64> = (0..choices.len() as u64).collect();
            let mut delivered = Vec::new();
            for choice in choices {
                let within = pending.iter().filter(|&&index| order.has_room_for(index)).count();
                let index = pending.remove(choice.index(within));
                order.push(index, index).unwrap();
                delivered.extend(std::iter::from_fn(|| order.pop_next()));
            }
            let all: Vec<u64> = (0..delivered.len() as u64).collect();
            prop_assert!(pending.is_empty() && order.is_empty());
            prop_assert_eq!(delivered, all);
        }
    }
}
