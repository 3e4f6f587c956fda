//! Rules about what is asked for: fields, and fragments where they are spread.

use super::values::Owner;
use super::{Rules, Uses};
use crate::document::index::Type;
use crate::document::suggest::{did_you_mean, sentence};
use crate::document::syntax::{Field, Inline, Selection, Selections, Spread};

impl<'a> Rules<'_, 'a> {
    /// A selection set of a type; `None`: nobody knows of which.
    pub(super) fn selections(
        &mut self,
        set: &Selections<'a>,
        of: Option<&'static Type>,
        uses: &mut Uses<'a>,
    ) {
        for selection in &set.items {
            match selection {
                Selection::Field(field) => self.field(field, of, uses),
                Selection::Spread(spread) => self.spread(spread, of, uses),
                Selection::Inline(inline) => self.inline(inline, of, uses),
            }
        }
    }

    fn field(&mut self, field: &Field<'a>, of: Option<&'static Type>, uses: &mut Uses<'a>) {
        let (index, name) = (self.index, field.name.text);
        let known = of.and_then(|ty| index.field(ty, name));
        if let (Some(ty), None) = (of, known) {
            let near = if self.suggest { self.near_field(ty, name) } else { String::new() };
            let message = format!("Cannot query field \"{name}\" on type \"{}\".{near}", ty.name);
            self.report(message, &[field.pos]);
        }
        let arguments = known.map(|known| known.arguments.as_slice());
        let owner = Owner::Field(of.map_or("", |ty| ty.name.as_str()), name);
        self.arguments(&field.arguments, arguments, owner, field.pos, uses);
        self.directives(&field.directives, "FIELD", uses);
        let inner = known.map(|known| index.inside(&known.ty));
        if let (Some(known), Some(inner)) = (known, inner) {
            let shown = index.show(&known.ty);
            match &field.selections {
                Some(set) if inner.is_leaf() => {
                    let message = format!(
                        "Field \"{name}\" must not have a selection since type \"{shown}\" \
                         has no subfields."
                    );
                    self.report(message, &[set.pos]);
                }
                None if !inner.is_leaf() => {
                    let message = format!(
                        "Field \"{name}\" of type \"{shown}\" must have a selection of \
                         subfields. Did you mean \"{name} {{ ... }}\"?"
                    );
                    self.report(message, &[field.pos]);
                }
                _ => {}
            }
        }
        if let Some(set) = &field.selections {
            self.selections(set, inner.filter(|inner| inner.is_composite()), uses);
        }
    }

    /// Types that have the field, where the type itself is one of several; else fields that are
    /// called alike.
    fn near_field(&self, ty: &Type, name: &str) -> String {
        let types: Vec<&str> = ty
            .possible
            .iter()
            .map(|id| self.index.at(*id))
            .filter(|object| ty.is_abstract() && object.field(name).is_some())
            .map(|object| object.name.as_str())
            .collect();
        if types.is_empty() {
            return did_you_mean(name, ty.fields.iter().map(|field| field.name.as_str()));
        }
        sentence("to use an inline fragment on ", &types)
    }

    fn inline(&mut self, inline: &Inline<'a>, of: Option<&'static Type>, uses: &mut Uses<'a>) {
        let mut inner = of;
        if let Some(on) = inline.on {
            inner = self.index.named(on.text);
            match inner {
                None => self.unknown_type(on.text, on.pos),
                Some(ty) if !ty.is_composite() => {
                    let message =
                        format!("Fragment cannot condition on non composite type \"{}\".", ty.name);
                    self.report(message, &[on.pos]);
                }
                Some(_) => {}
            }
            inner = inner.filter(|ty| ty.is_composite());
            if let (Some(inner), Some(of)) = (inner, of)
                && !inner.overlaps(of)
            {
                let message = format!(
                    "Fragment cannot be spread here as objects of type \"{}\" can never be of \
                     type \"{}\".",
                    of.name, inner.name
                );
                self.report(message, &[inline.pos]);
            }
        }
        self.directives(&inline.directives, "INLINE_FRAGMENT", uses);
        self.selections(&inline.selections, inner, uses);
    }

    fn spread(&mut self, spread: &Spread<'a>, of: Option<&'static Type>, uses: &mut Uses<'a>) {
        let name = spread.name.text;
        self.directives(&spread.directives, "FRAGMENT_SPREAD", uses);
        uses.spreads.push((name, spread.pos));
        let document = self.document;
        let fragment = self.fragments.get(name).and_then(|at| document.fragments.get(*at));
        let Some(fragment) = fragment else {
            self.report(format!("Unknown fragment \"{name}\"."), &[spread.name.pos]);
            return;
        };
        let inner = self.index.named(fragment.on.text).filter(|ty| ty.is_composite());
        if let (Some(inner), Some(of)) = (inner, of)
            && !inner.overlaps(of)
        {
            let message = format!(
                "Fragment \"{name}\" cannot be spread here as objects of type \"{}\" can never \
                 be of type \"{}\".",
                of.name, inner.name
            );
            self.report(message, &[spread.pos]);
        }
    }
}
