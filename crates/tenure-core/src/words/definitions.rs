//! What does a catalogue define at each kind of level, with its names interned?
//!
//! Rules: `docs/semantics.md#catalogue`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::words::catalog::{Catalog, GivenRow, GivesRow, Place, Setting, leaf_role};
use crate::words::grantable::{Grantable, RoleKey, RoleText};
use crate::words::level::{KindSet, LevelKind};
use crate::words::requirement::{Held, HeldRow, Leaf, LeafRow, Requirement};
use crate::words::symbol::{LevelRef, Map, Symbol, Symbols};

/// A predefined role at one kind of level in one setting
#[derive(Clone, Debug)]
pub(crate) struct PredefinedRole {
    /// Real names of its scopes
    pub(crate) scopes: Arc<[Symbol]>,
    pub(crate) template: Option<Symbol>,
    pub(crate) grantable: bool,
}

/// What doing an operation gives whoever does it
#[derive(Debug)]
pub(crate) struct Gift {
    pub(crate) what: GiftOf,
    /// At the levels below of these kinds; `None` means at the level itself
    pub(crate) below: Option<KindSet>,
}

/// What is given
#[derive(Debug)]
pub(crate) enum GiftOf {
    AnyRoleCollection,
    RoleCollection(Symbol),
    Role(RoleText),
}

/// What a catalogue defines at one kind of level in one setting
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) roles: Map<RoleKey, PredefinedRole>,
    pub(crate) role_collections: Map<Symbol, Arc<[RoleKey]>>,
    pub(crate) operations: Map<Symbol, Arc<Requirement<Leaf>>>,
    /// The operations that give something, in byte order
    pub(crate) gifts: Vec<(Symbol, Arc<[Gift]>)>,
    givers: Givers,
}

/// What gives a role or a scope, were nothing custom
// INVARIANT (givers): what `roles` and `role_collections` of its table say, the other way round; each list
// is sorted and names nothing twice.
#[derive(Debug, Default)]
struct Givers {
    of_role: Map<Symbol, Vec<Grantable>>,
    of_scope: Map<Symbol, Vec<Grantable>>,
    with_scope: Map<Symbol, Vec<RoleKey>>,
}

impl Table {
    /// What gives a role of that name, the role itself included
    pub(crate) fn of_role(&self, name: Symbol) -> impl Iterator<Item = Grantable> {
        self.givers.of_role.get(&name).into_iter().flatten().copied()
    }

    /// The role collections that list a role of that name
    pub(crate) fn listing(&self, name: Symbol) -> impl Iterator<Item = Grantable> {
        self.of_role(name).filter(|giver| matches!(giver, Grantable::RoleCollection(_)))
    }

    /// What gives a role with that scope, the role itself included
    pub(crate) fn of_scope(&self, scope: Symbol) -> impl Iterator<Item = Grantable> {
        self.givers.of_scope.get(&scope).into_iter().flatten().copied()
    }

    /// The roles with that scope
    pub(crate) fn with_scope(&self, scope: Symbol) -> impl Iterator<Item = RoleKey> {
        self.givers.with_scope.get(&scope).into_iter().flatten().copied()
    }

    fn turn_round(&mut self) {
        let listed = self.role_collections.iter().flat_map(|(name, roles)| {
            roles.iter().map(move |role| (*role, Grantable::RoleCollection(*name)))
        });
        let single = self.roles.keys().map(|role| (*role, Grantable::Role(*role)));
        let mut givers = Givers::default();
        for (role, giver) in listed.chain(single) {
            givers.of_role.entry(role.name).or_default().push(giver);
            for scope in self.roles.get(&role).into_iter().flat_map(|role| role.scopes.iter()) {
                givers.of_scope.entry(*scope).or_default().push(giver);
                givers.with_scope.entry(*scope).or_default().push(role);
            }
        }
        for lists in [&mut givers.of_role, &mut givers.of_scope] {
            for list in lists.values_mut() {
                list.sort_unstable();
                list.dedup();
            }
        }
        for list in givers.with_scope.values_mut() {
            list.sort_unstable();
            list.dedup();
        }
        self.givers = givers;
    }
}

/// A catalogue with its names interned, ready to be asked
#[derive(Debug)]
pub(crate) struct Definitions {
    pub(crate) version: Arc<str>,
    pub(crate) custom_in_directories: bool,
    aliases: Map<Symbol, Symbol>,
    /// The first title that the document has for each operation
    titles: Map<Symbol, Arc<str>>,
    tables: Tables,
    /// All that it defines, for "was it ever defined"
    pub(crate) defined: Vec<Defined>,
}

/// By kind, feature set and environment
type Tables = [[[Table; 2]; 2]; LevelKind::ALL.len()];

/// Something that a counted entry may have defined
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Defined {
    Role(RoleKey),
    RoleName(Symbol),
    Scope(Symbol),
    RoleCollection(Symbol),
    Operation(Symbol),
    /// A permission of an application
    Permission(LevelRef, Symbol),
    /// Some permission of an application
    Permissions(LevelRef),
}

static NOTHING: std::sync::LazyLock<Table> = std::sync::LazyLock::new(Table::default);

impl Definitions {
    /// Every operation, at whatever kind of level; one that several kinds have comes several times
    pub(crate) fn operation_ids(&self) -> impl Iterator<Item = Symbol> {
        self.all().flat_map(|table| table.operations.keys().copied())
    }

    fn all(&self) -> impl Iterator<Item = &Table> {
        self.tables.iter().flatten().flatten()
    }

    pub(crate) fn new(catalog: &Catalog, symbols: &mut Symbols) -> Self {
        let document = catalog.document();
        let aliases: Map<Symbol, Symbol> = document
            .scope_aliases
            .iter()
            .flatten()
            .map(|(alias, real)| (symbols.intern(alias), symbols.intern(real)))
            .collect();
        let mut defined: HashSet<Defined> = aliases
            .iter()
            .flat_map(|(alias, real)| [Defined::Scope(*alias), Defined::Scope(*real)])
            .collect();
        let real = |scope: Symbol| aliases.get(&scope).copied().unwrap_or(scope);
        let mut tables = Tables::default();
        // Of roles with one name the last one. By INVARIANT (catalogue) no text means one of those by its name alone.
        let mut by_name: HashMap<(Place, Symbol), RoleKey> = HashMap::new();
        for row in &document.roles {
            let key = RoleKey {
                application: symbols.intern(&row.application),
                name: symbols.intern(&row.role),
            };
            let written: Vec<Symbol> =
                row.scopes.iter().flatten().map(|scope| symbols.intern(scope)).collect();
            defined.extend([Defined::Role(key), Defined::RoleName(key.name)]);
            defined.extend(written.iter().map(|scope| Defined::Scope(*scope)));
            let role = PredefinedRole {
                scopes: written.into_iter().map(real).collect(),
                template: row.template.as_ref().map(|template| symbols.intern(template)),
                grantable: row.grantable.unwrap_or(false),
            };
            for place in row.places().each() {
                if let Some(table) = table_mut(&mut tables, place) {
                    table.roles.insert(key, role.clone());
                    by_name.insert((place, key.name), key);
                }
            }
        }
        for row in &document.role_collections {
            let name = symbols.intern(&row.role_collection);
            defined.insert(Defined::RoleCollection(name));
            // By INVARIANT (catalogue) each text can be read and means exactly one role, whose names are interned.
            let texts: Vec<_> = row
                .roles
                .iter()
                .filter_map(|text| {
                    let text = RoleText::parse(text).ok()?;
                    let application = match &text.application {
                        Some(application) => Some(symbols.get(application)?),
                        None => None,
                    };
                    Some((application, symbols.get(&text.name)?))
                })
                .collect();
            for place in row.places().each() {
                let Some(table) = table_mut(&mut tables, place) else { continue };
                let roles = texts.iter().filter_map(|(application, name)| match application {
                    Some(application) => Some(RoleKey { application: *application, name: *name }),
                    None => by_name.get(&(place, *name)).copied(),
                });
                let roles = roles.collect();
                table.role_collections.insert(name, roles);
            }
        }
        let mut titles: Map<Symbol, Arc<str>> = Map::default();
        for row in &document.operations {
            let name = symbols.intern(&row.operation);
            defined.insert(Defined::Operation(name));
            if let Some(title) = &row.title {
                titles.entry(name).or_insert_with(|| Arc::clone(title));
            }
            let requires =
                Arc::new(row.requires.map(&mut |leaf| compiled(leaf, symbols, &aliases)));
            let gives = row.gives.iter().flatten().map(|gives| gift(gives, symbols));
            let gives: Arc<[Gift]> = gives.collect();
            for place in row.places().each() {
                if let Some(table) = table_mut(&mut tables, place) {
                    table.operations.insert(name, Arc::clone(&requires));
                    if !gives.is_empty() {
                        table.gifts.push((name, Arc::clone(&gives)));
                    }
                }
            }
        }
        for table in tables.iter_mut().flatten().flatten() {
            table.turn_round();
            table.gifts.sort_by(|(a, _), (b, _)| symbols.text(*a).cmp(symbols.text(*b)));
        }
        Self {
            version: Arc::clone(catalog.version()),
            custom_in_directories: document
                .custom_role_collections
                .as_ref()
                .is_some_and(|kinds| kinds.contains(&LevelKind::Directory)),
            aliases,
            titles,
            tables,
            defined: defined.into_iter().collect(),
        }
    }

    pub(crate) fn table(&self, kind: LevelKind, setting: Setting) -> &Table {
        let Setting { feature_set, environment } = setting;
        let of_kind = self.tables.get(kind as usize);
        let of_set = of_kind.and_then(|sets| sets.get(feature_set as usize));
        of_set.and_then(|tables| tables.get(environment as usize)).unwrap_or(&NOTHING)
    }

    /// An operation in words, if the document has any for it
    pub(crate) fn title(&self, operation: Symbol) -> Option<&Arc<str>> {
        self.titles.get(&operation)
    }

    /// The real name of a scope
    pub(crate) fn real_scope(&self, scope: Symbol) -> Symbol {
        self.aliases.get(&scope).copied().unwrap_or(scope)
    }
}

fn table_mut(tables: &mut Tables, Place { kind, setting }: Place) -> Option<&mut Table> {
    let of_kind = tables.get_mut(kind as usize)?;
    of_kind.get_mut(setting.feature_set as usize)?.get_mut(setting.environment as usize)
}

fn gift(row: &GivesRow, symbols: &mut Symbols) -> Gift {
    Gift {
        what: match &row.what {
            GivenRow::AnyRoleCollection => GiftOf::AnyRoleCollection,
            GivenRow::RoleCollection(name) => GiftOf::RoleCollection(symbols.intern(name)),
            GivenRow::Role(role) => GiftOf::Role(role.clone()),
        },
        below: row.below.as_ref().map(|kinds| kinds.iter().copied().collect()),
    }
}

fn compiled(row: &LeafRow, symbols: &mut Symbols, aliases: &Map<Symbol, Symbol>) -> Leaf {
    let held = match &row.held {
        HeldRow::Scope(scope) => {
            let scope = symbols.intern(scope);
            Held::Scope(aliases.get(&scope).copied().unwrap_or(scope))
        }
        HeldRow::RoleCollection(name) => Held::RoleCollection(symbols.intern(name)),
        HeldRow::Role { role, application } => {
            // By INVARIANT (catalogue) the text can be read.
            let text = leaf_role(role, application.as_ref())
                .unwrap_or_else(|_| RoleText { application: None, name: Arc::clone(role) });
            Held::Role {
                application: text.application.as_ref().map(|a| symbols.intern(a)),
                name: symbols.intern(&text.name),
            }
        }
    };
    Leaf {
        held,
        direction: row.direction,
        kinds: row.kinds.iter().copied().collect(),
        row: Arc::new(row.clone()),
    }
}
