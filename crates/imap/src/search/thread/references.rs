//! REFERENCES (RFC 5256 §3), step by step as it is written there.

use std::collections::HashMap;

use super::{Id, Member, THREAD_DEPTH_MAX, Thread};

/// All threads.
pub(super) fn threads(messages: &[Member], references: &[Id]) -> Vec<Thread> {
    let mut forest = Forest::of(messages, references);
    forest.link_all();
    let mut root = forest.gathered();
    forest.prune(&mut root);
    forest.sort_top(&mut root);
    forest.merge_subjects(&mut root);
    forest.sort_all(&mut root);
    forest.told(&root)
}

/// Messages and dummies, which stand for messages that are not among those found. Messages come first, at their places.
struct Forest<'m> {
    messages: &'m [Member],
    /// Of the messages, at the places that they tell.
    references: &'m [Id],
    parents: Vec<Option<usize>>,
    /// How many have it as their parent.
    child_counts: Vec<usize>,
    /// Made of `parents` when all links are there; these count from then on, and of `parents` only whether one is at the top.
    children: Vec<Vec<usize>>,
    /// Looks for loops that may be made yet: see [`STEPS_MAX`].
    steps_left: u64,
}

/// Steps towards a root, in all, by which links are checked for loops. Where they are used up, which mail that somebody wrote does
/// not come near, what would need more of them is not linked.
const STEPS_MAX: u64 = 20_000_000;

impl<'m> Forest<'m> {
    fn of(messages: &'m [Member], references: &'m [Id]) -> Self {
        let count = messages.len();
        Self {
            messages,
            references,
            parents: vec![None; count],
            child_counts: vec![0; count],
            children: Vec::new(),
            steps_left: STEPS_MAX,
        }
    }

    fn dummy(&mut self) -> usize {
        self.parents.push(None);
        self.child_counts.push(0);
        self.children.push(Vec::new());
        self.parents.len() - 1
    }

    const fn is_dummy(&self, at: usize) -> bool {
        at >= self.messages.len()
    }

    /// Step 1.
    fn link_all(&mut self) {
        let messages = self.messages;
        let mut places: HashMap<Id, usize> = HashMap::with_capacity(messages.len());
        for (at, id) in
            messages.iter().enumerate().filter_map(|(at, message)| Some((at, message.message_id?)))
        {
            // Of several with one id the first one has it; the others, and those without, have one that nobody knows.
            places.entry(id).or_insert(at);
        }
        for (at, message) in messages.iter().enumerate() {
            let mut last = None;
            for reference in &self.references[message.references.clone()] {
                let place = match places.get(reference) {
                    Some(place) => *place,
                    None => {
                        let dummy = self.dummy();
                        places.insert(*reference, dummy);
                        dummy
                    }
                };
                if let Some(parent) = last
                    && self.parents[place].is_none()
                    && !self.is_within(parent, place)
                {
                    self.link(parent, place);
                }
                last = Some(place);
            }
            // Step 1.B: what the message itself says of its parent counts more than what others said.
            match last {
                Some(parent) if !self.is_within(parent, at) => {
                    self.unlink(at);
                    self.link(parent, at);
                }
                Some(_) => {}
                None => self.unlink(at),
            }
        }
    }

    /// Whether `at` is `ancestor` or below it, or may be.
    fn is_within(&mut self, at: usize, ancestor: usize) -> bool {
        if at == ancestor {
            return true;
        }
        if self.child_counts[ancestor] == 0 {
            return false;
        }
        let mut place = at;
        while let Some(parent) = self.parents[place] {
            if parent == ancestor || self.steps_left == 0 {
                return true;
            }
            self.steps_left -= 1;
            place = parent;
        }
        false
    }

    fn link(&mut self, parent: usize, child: usize) {
        self.parents[child] = Some(parent);
        self.child_counts[parent] += 1;
    }

    fn unlink(&mut self, child: usize) {
        if let Some(parent) = self.parents[child].take() {
            self.child_counts[parent] -= 1;
        }
    }

    /// Step 2: those without a parent.
    fn gathered(&mut self) -> Vec<usize> {
        let mut root = Vec::new();
        self.children = self.child_counts.iter().map(|count| Vec::with_capacity(*count)).collect();
        for (at, parent) in self.parents.iter().enumerate() {
            match parent {
                Some(parent) => self.children[*parent].push(at),
                None => root.push(at),
            }
        }
        root
    }

    /// All that is below `root`, those below before those above.
    fn deepest_first(&self, root: &[usize]) -> Vec<usize> {
        let mut order = root.to_vec();
        let mut next = 0;
        while let Some(at) = order.get(next) {
            next += 1;
            order.extend_from_slice(&self.children[*at]);
        }
        order.reverse();
        order
    }

    /// Step 3.
    fn prune(&mut self, root: &mut Vec<usize>) {
        for at in self.deepest_first(root) {
            if self.children[at].iter().any(|child| self.is_dummy(*child)) {
                let children = std::mem::take(&mut self.children[at]);
                self.children[at] = self.promoted(children, |_| true);
            }
        }
        // To the root only one that is alone is promoted.
        *root = self.promoted(std::mem::take(root), |children| children.len() < 2);
        root.iter().for_each(|at| self.parents[*at] = None);
    }

    /// Siblings, with their children in place of those dummies whose children are as `promotes` wants them.
    fn promoted(&mut self, siblings: Vec<usize>, promotes: impl Fn(&[usize]) -> bool) -> Vec<usize> {
        let mut out = Vec::with_capacity(siblings.len());
        for at in siblings {
            if self.is_dummy(at) && promotes(&self.children[at]) {
                out.append(&mut self.children[at]);
            } else {
                out.push(at);
            }
        }
        out
    }

    /// Step 4.
    fn sort_top(&mut self, root: &mut [usize]) {
        for at in root.iter().filter(|at| self.is_dummy(**at)).copied().collect::<Vec<_>>() {
            self.sort_children(at);
        }
        self.sort(root);
    }

    fn sort_children(&mut self, at: usize) {
        let mut children = std::mem::take(&mut self.children[at]);
        self.sort(&mut children);
        self.children[at] = children;
    }

    fn sort(&self, siblings: &mut [usize]) {
        siblings.sort_unstable_by_key(|at| {
            let first = self.first(*at);
            (self.messages[first].sent, first)
        });
    }

    /// The message, or of a dummy its first child. A dummy has children, which are no dummies once pruned, or merged (step 5).
    fn first(&self, at: usize) -> usize {
        let mut at = at;
        while self.is_dummy(at) {
            let Some(child) = self.children[at].first() else { return 0 };
            at = *child;
        }
        at
    }

    /// Step 5.
    fn merge_subjects(&mut self, root: &mut Vec<usize>) {
        let mut table = self.subject_table(root);
        let mut merged = Vec::with_capacity(root.len());
        for current in std::mem::take(root) {
            let subject = self.messages[self.first(current)].subject;
            match subject.and_then(|subject| Some((subject, *table.get(&subject)?))) {
                // Another has taken it in.
                _ if self.parents[current].is_some() => {}
                Some((subject, known)) if known != current => {
                    if let Some(dummy) = self.merge(current, known) {
                        table.insert(subject, dummy);
                        merged.push(dummy);
                    }
                }
                _ => merged.push(current),
            }
        }
        merged.retain(|at| self.parents[*at].is_none());
        *root = merged;
    }

    /// Steps 5.A and 5.B.
    fn subject_table(&self, root: &[usize]) -> HashMap<Id, usize> {
        let mut table = HashMap::new();
        for current in root {
            let Some(subject) = self.messages[self.first(*current)].subject else { continue };
            let known = table.entry(subject).or_insert(*current);
            let is_better = self.is_dummy(*current) || self.is_reply(*known) && !self.is_reply(*current);
            if !self.is_dummy(*known) && is_better {
                *known = *current;
            }
        }
        table
    }

    /// Step 5.C: merges `current` with the one in the table; the new dummy that has both, where there is one.
    fn merge(&mut self, current: usize, known: usize) -> Option<usize> {
        if self.is_dummy(known) && self.is_dummy(current) {
            let mut children = std::mem::take(&mut self.children[current]);
            self.children[known].append(&mut children);
            self.parents[current] = Some(known);
            return None;
        }
        if self.is_dummy(known) || self.is_reply(current) && !self.is_reply(known) {
            self.put_below(known, current);
            return None;
        }
        let dummy = self.dummy();
        self.put_below(dummy, known);
        self.put_below(dummy, current);
        Some(dummy)
    }

    fn put_below(&mut self, parent: usize, child: usize) {
        self.parents[child] = Some(parent);
        self.children[parent].push(child);
    }

    fn is_reply(&self, at: usize) -> bool {
        self.messages.get(at).is_some_and(|message| message.is_reply)
    }

    /// Step 6.
    fn sort_all(&mut self, root: &mut [usize]) {
        for at in self.deepest_first(root) {
            self.sort_children(at);
        }
        self.sort(root);
    }

    /// As threads.
    fn told(&mut self, root: &[usize]) -> Vec<Thread> {
        self.flatten(root);
        let mut made: Vec<Option<Thread>> = vec![None; self.children.len()];
        for at in self.deepest_first(root) {
            let children = self.children[at].iter().filter_map(|child| made[*child].take()).collect();
            made[at] = Some(Thread { uid: self.messages.get(at).map(|message| message.uid), children });
        }
        root.iter().filter_map(|at| made[*at].take()).collect()
    }

    /// Puts all that is deeper than is told below the last one that is told, in order.
    fn flatten(&mut self, root: &[usize]) {
        let mut depths = vec![0_usize; self.children.len()];
        let mut deepest: Vec<Option<usize>> = vec![None; self.children.len()];
        let mut order = self.deepest_first(root);
        order.reverse();
        for at in &order {
            for child in &self.children[*at] {
                depths[*child] = depths[*at] + 1;
                deepest[*child] = deepest[*at].or((depths[*at] + 1 == THREAD_DEPTH_MAX).then_some(*at));
            }
        }
        for at in order.into_iter().filter(|at| depths[*at] >= THREAD_DEPTH_MAX) {
            self.children[at].clear();
            if let Some(last) = deepest[at]
                && depths[at] > THREAD_DEPTH_MAX
            {
                self.children[last].push(at);
            }
        }
    }
}
