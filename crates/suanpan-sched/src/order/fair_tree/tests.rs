use super::{AssociationId, Kind, Ranking, Shares, Tree};
use crate::order::multifactor::Factor;
use crate::order::ratio::Ratio;
use proptest::prelude::*;
use std::cmp::Ordering;

fn own(shares: u32) -> Shares {
    Shares::Own(shares)
}

/// `root => Acct1 => Acct12 => UserA` and `root => Acct1 => Acct16 => UserB`, the manual's
/// example: the accounts below the common ancestor decide.
#[test]
fn the_accounts_below_the_common_ancestor_decide() {
    let mut tree = Tree::default();
    let one = tree.add_account(None, own(1));
    let twelve = tree.add_account(Some(one), own(1));
    let sixteen = tree.add_account(Some(one), own(1));
    let a = tree.add_user(Some(twelve), own(1), 10);
    let heavy = tree.add_user(Some(twelve), own(1), 90);
    let b = tree.add_user(Some(sixteen), own(1), 50);
    let ranking = tree.rank();
    assert_eq!(ranking.level_fair_share(twelve), Ratio::new(150, 200));
    assert_eq!(ranking.level_fair_share(sixteen), Ratio::new(150, 100));
    assert_eq!(ranking.compare(b, a), Ordering::Less, "B first, although it has used more than A");
    assert_eq!([b, a, heavy].map(|user| ranking.rank(user)), [3, 2, 1]);
    assert_eq!(ranking.factor(b), Factor::ONE);
    assert_eq!(ranking.factor(a), Factor::of(2, 3));
}

/// The figures a computing center printed with `sshare -l` for one account of 23 users with one
/// share each, of whom three have used 344, 351 and 681: level fair shares 0.173913, 0.170445
/// and 0.087848.
#[test]
fn a_published_listing_comes_out() {
    let mut tree = Tree::default();
    let account = tree.add_account(None, own(1));
    let idle: Vec<AssociationId> =
        (0..20).map(|_| tree.add_user(Some(account), own(1), 0)).collect();
    let used = [344, 351, 681].map(|usage| tree.add_user(Some(account), own(1), usage));
    let ranking = tree.rank();
    for (user, published) in used.into_iter().zip([0.173_913, 0.170_445, 0.087_848]) {
        let level = ranking.level_fair_share(user).to_f64();
        // The listing's own usage has fractions that it does not print.
        assert!((level - published).abs() < 3e-6, "{level} and {published}");
    }
    assert_eq!(used.map(|user| ranking.rank(user)), [3, 2, 1]);
    assert!(idle.iter().all(|user| ranking.factor(*user) == Factor::ONE), "all tie at the top");
}

#[test]
fn a_user_tied_with_an_account_ranks_as_its_highest_user() {
    let mut tree = Tree::default();
    let account = tree.add_account(None, own(1));
    let high = tree.add_user(Some(account), own(3), 50);
    let low = tree.add_user(Some(account), own(1), 50);
    let alone = tree.add_user(None, own(1), 100);
    let ranking = tree.rank();
    assert_eq!([alone, high, low].map(|user| ranking.rank(user)), [3, 3, 1]);
}

#[test]
fn tied_accounts_are_merged() {
    let mut tree = Tree::default();
    let (x, y) = (tree.add_account(None, own(1)), tree.add_account(None, own(1)));
    let users = [
        tree.add_user(Some(x), own(1), 10),
        tree.add_user(Some(x), own(1), 90),
        tree.add_user(Some(y), own(1), 40),
        tree.add_user(Some(y), own(1), 60),
    ];
    let ranking = tree.rank();
    // Level fair shares 5, 5/9, 5/4, 5/6: mixed, not x before y.
    assert_eq!(users.map(|user| ranking.rank(user)), [4, 1, 3, 2]);
}

#[test]
fn shares_of_the_parent_rank_first_and_pass_children_on() {
    let mut tree = Tree::default();
    let account = tree.add_account(None, own(1));
    let through = tree.add_account(Some(account), Shares::Parent);
    let child = tree.add_user(Some(through), own(1), 10);
    let sibling = tree.add_user(Some(account), own(1), 30);
    let guest = tree.add_user(Some(account), Shares::Parent, 1_000);
    let nothing = tree.add_user(Some(account), own(0), 0);
    let ranking = tree.rank();
    assert_eq!([guest, child, sibling, nothing].map(|user| ranking.rank(user)), [4, 3, 2, 1]);
}

#[test]
fn an_empty_tree_and_empty_accounts_rank_nobody() {
    assert_eq!(Tree::default().rank().users(), 0);
    let mut tree = Tree::default();
    let empty = tree.add_account(None, own(5));
    tree.add_account(Some(empty), own(5));
    let user = tree.add_user(None, own(1), 7);
    assert_eq!(tree.rank().factor(user), Factor::ONE);
}

/// A tree of accounts three levels deep with users anywhere, from numbers.
fn tree() -> impl Strategy<Value = Tree> {
    let entry = (any::<u32>(), any::<bool>(), 0u32..4, 0u64..4, prop::bool::weighted(0.1));
    prop::collection::vec(entry, 0..40).prop_map(|entries| {
        let mut tree = Tree::default();
        let mut accounts: Vec<Option<AssociationId>> = vec![None];
        for (place, is_user, shares, usage, inherits) in entries {
            let parent = accounts[place as usize % accounts.len()];
            let shares = if inherits { Shares::Parent } else { own(shares) };
            match is_user {
                true => drop(tree.add_user(parent, shares, usage)),
                false => accounts.push(Some(tree.add_account(parent, shares))),
            }
        }
        tree
    })
}

/// The association and all above it that have a level fair share, from the top.
fn path(tree: &Tree, mut index: u32) -> Vec<u32> {
    let mut path = vec![index];
    while let Some(parent) = tree.associations[index as usize].parent {
        path.push(parent);
        index = parent;
    }
    path.reverse();
    path
}

fn users(tree: &Tree) -> Vec<u32> {
    let all = 0..tree.associations.len() as u32;
    all.filter(|index| tree.associations[*index as usize].kind != Kind::Account).collect()
}

fn check_pair(tree: &Tree, ranking: &Ranking, one: u32, other: u32) -> Result<(), TestCaseError> {
    let (mine, theirs) = (path(tree, one), path(tree, other));
    let split = mine.iter().zip(&theirs).position(|(a, b)| a != b).expect("users differ");
    let level = |index: u32| ranking.level_fair_share(AssociationId(index));
    if level(mine[split]) > level(theirs[split]) {
        let ranks = (ranking.ranks[one as usize], ranking.ranks[other as usize]);
        prop_assert!(ranks.0 > ranks.1, "{one} beats {other} at level {split}: {ranks:?}");
    }
    Ok(())
}

proptest! {
    /// The published guarantee.
    #[test]
    fn users_of_a_better_account_beat_all_users_of_its_sibling(tree in tree()) {
        let ranking = tree.rank();
        let users = users(&tree);
        for &one in &users {
            for &other in users.iter().filter(|other| **other != one) {
                check_pair(&tree, &ranking, one, other)?;
            }
        }
    }

    /// The k-th of n users has rank n + 1 - k, or that of those it ties with.
    #[test]
    fn ranks_count_those_who_come_first(tree in tree()) {
        let ranking = tree.rank();
        let users = users(&tree);
        let mut ranks: Vec<u32> = users.iter().map(|user| ranking.ranks[*user as usize]).collect();
        ranks.sort_unstable_by(|one, other| other.cmp(one));
        for (place, rank) in ranks.iter().enumerate() {
            let before = ranks.iter().filter(|other| *other > rank).count();
            prop_assert_eq!(*rank as usize, users.len() - before, "place {}", place);
        }
    }

    /// Using more never ranks a user higher, all else equal.
    #[test]
    fn more_usage_is_never_rewarded(tree in tree(), more in 1u64..50, pick: prop::sample::Index) {
        let users = users(&tree);
        prop_assume!(!users.is_empty());
        let chosen = *pick.get(&users);
        let before = tree.rank();
        let mut heavier = tree.clone();
        let Kind::User { usage } = &mut heavier.associations[chosen as usize].kind else {
            unreachable!("a user was chosen")
        };
        *usage += more;
        let after = heavier.rank();
        let beats = |ranking: &Ranking, other: u32| {
            ranking.ranks[chosen as usize] > ranking.ranks[other as usize]
        };
        let siblings = users.iter().filter(|other| {
            tree.associations[**other as usize].parent
                == tree.associations[chosen as usize].parent
        });
        for &other in siblings {
            let lone = path(&tree, other).len() == 1;
            if lone && beats(&after, other) {
                prop_assert!(beats(&before, other));
            }
        }
    }
}
