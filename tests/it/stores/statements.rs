//! Every fixed SQL text of the sources, prepared against the schema with the types it is bound
//! with: a wrong column, table or type is found without running the code around it.

use std::collections::BTreeMap;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Expr, GenericArgument, PathArguments, Type};

use crate::app::with_app;
use crate::layers::{files, source};
use crate::template::session;

/// Texts that `sql` is given through a macro or a variable, by file; those are run by the tests of
/// search and of notifications.
const MADE_ELSEWHERE: [(&str, usize); 2] =
    [("read_models/notifications/read.rs", 3), ("stores/postgres/search.rs", 1)];

/// A text and the types of its parameters, as PostgreSQL names them.
#[derive(Debug)]
struct Statement {
    text: String,
    parameters: Vec<String>,
}

#[derive(Default)]
struct Statements {
    found: Vec<Statement>,
    made_elsewhere: usize,
}

/// A type of `diesel::sql_types`.
fn name_of(sql_type: &Type) -> String {
    let Type::Path(path) = sql_type else { panic!("a bind of no named type") };
    let last = path.path.segments.last().expect("a name");
    let inner = || match &last.arguments {
        PathArguments::AngleBracketed(arguments) => match arguments.args.first() {
            Some(GenericArgument::Type(inner)) => name_of(inner),
            _ => panic!("{} of no type", last.ident),
        },
        _ => panic!("{} without a type", last.ident),
    };
    match last.ident.to_string().as_str() {
        "BigInt" => "bigint".to_owned(),
        "Integer" => "integer".to_owned(),
        "SmallInt" => "smallint".to_owned(),
        "Text" => "text".to_owned(),
        "Bool" => "boolean".to_owned(),
        "Jsonb" => "jsonb".to_owned(),
        "Timestamptz" => "timestamptz".to_owned(),
        "Date" => "date".to_owned(),
        "Double" => "double precision".to_owned(),
        "Bytea" | "Binary" => "bytea".to_owned(),
        "Nullable" => inner(),
        "Array" => format!("{}[]", inner()),
        other => panic!("{other} is not known here"),
    }
}

impl Statements {
    /// A call of `sql`, whatever was bound to it: the bind nearest to the text is the first.
    fn take(&mut self, mut expression: &Expr) -> bool {
        let mut parameters = Vec::new();
        while let Expr::MethodCall(call) = expression {
            if call.method != "bind" {
                return false;
            }
            let types = call.turbofish.as_ref().expect("binds name their type");
            let Some(GenericArgument::Type(first)) = types.args.first() else {
                panic!("a bind without a type")
            };
            parameters.push(name_of(first));
            expression = &call.receiver;
        }
        let Expr::Call(call) = expression else { return false };
        let Expr::Path(function) = &*call.func else { return false };
        if !function.path.is_ident("sql") || call.args.len() != 1 {
            return false;
        }
        parameters.reverse();
        match call.args.first() {
            Some(Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. })) => {
                self.found.push(Statement { text: text.value(), parameters });
            }
            _ => self.made_elsewhere += 1,
        }
        true
    }
}

impl<'ast> Visit<'ast> for Statements {
    fn visit_expr(&mut self, expression: &'ast Expr) {
        if !self.take(expression) {
            visit::visit_expr(self, expression);
        }
    }
}

fn statements_of(file: &Path) -> Statements {
    let text = std::fs::read_to_string(file).expect("a source");
    let mut statements = Statements::default();
    statements.visit_file(&syn::parse_file(&text).expect("Rust"));
    statements
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_fits_the_schema() {
    let mut found = Vec::new();
    let mut made_elsewhere = BTreeMap::new();
    for file in files(&source()) {
        let statements = statements_of(&file);
        let file = file.strip_prefix(source()).unwrap().display().to_string();
        if statements.made_elsewhere > 0 {
            made_elsewhere.insert(file.clone(), statements.made_elsewhere);
        }
        found.extend(statements.found.into_iter().map(|statement| (file.clone(), statement)));
    }
    let expected = MADE_ELSEWHERE.map(|(file, count)| (file.to_owned(), count));
    assert_eq!(made_elsewhere, BTreeMap::from(expected));
    assert!(found.len() > 150, "{} statements", found.len());
    // What begins and ends a transaction is prepared by the protocol alone.
    found.retain(|(_, statement)| !["BEGIN", "COMMIT"].contains(&statement.text.as_str()));
    with_app(async |app| {
        let client = session(&app.app.config.postgres.shards[0].primary).await;
        let mut wrong = Vec::new();
        for (file, Statement { text, parameters }) in &found {
            let types = match parameters.as_slice() {
                [] => String::new(),
                some => format!("({})", some.join(", ")),
            };
            let prepare = format!("PREPARE statement{types} AS {text}; DEALLOCATE statement");
            if let Err(error) = client.batch_execute(&prepare).await {
                let error =
                    error.as_db_error().map_or_else(|| error.to_string(), |e| e.to_string());
                wrong.push(format!("{file}: {error}: {text}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    })
    .await;
}
