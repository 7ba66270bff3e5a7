//! A queue that is empty most of the time.

use std::collections::{VecDeque, vec_deque};
use std::ops::Deref;

/// What waits on one connection. Of very many connections nearly all wait for nothing, so it takes
/// memory only while there is something in it, and at first for one alone.
#[derive(Debug)]
pub(crate) struct Few<T>(VecDeque<T>);

impl<T> Few<T> {
    pub(crate) fn push_back(&mut self, item: T) {
        if self.0.capacity() == 0 {
            self.0.reserve_exact(1);
        }
        self.0.push_back(item);
    }

    pub(crate) fn pop_front(&mut self) -> Option<T> {
        self.pop_front_if(|_| true)
    }

    pub(crate) fn pop_front_if(&mut self, is_due: impl FnOnce(&T) -> bool) -> Option<T> {
        let item = self.0.pop_front_if(|item| is_due(item));
        self.rest();
        item
    }

    pub(crate) fn remove(&mut self, index: usize) -> Option<T> {
        let item = self.0.remove(index);
        self.rest();
        item
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.0.get_mut(index)
    }

    pub(crate) fn iter_mut(&mut self) -> vec_deque::IterMut<'_, T> {
        self.0.iter_mut()
    }

    /// Lets go of all memory once nothing is left.
    fn rest(&mut self) {
        if self.0.is_empty() {
            self.0 = VecDeque::new();
        }
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Deref for Few<T> {
    type Target = VecDeque<T>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = vec_deque::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_held_for_what_is_in_it() {
        let mut few = Few::default();
        few.push_back(1);
        assert_eq!(few.capacity(), 1);
        few.push_back(2);
        few.push_back(3);
        assert_eq!(few.pop_front_if(|&item| item > 1), None);
        assert_eq!(few.pop_front(), Some(1));
        assert_eq!(few.remove(1), Some(3));
        assert_eq!(few.remove(0), Some(2));
        assert_eq!(few.capacity(), 0);
    }
}
