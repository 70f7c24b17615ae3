//! How are many questions asked at one moment?
//!
//! One moment and one newest position for all of them, so their answers fit together. Each has its own answer or its own
//! problem.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tenure_core::{AsOf, Question};
use tenure_wire::api::{self, CheckOrProblem, Checks, Problem};
use tenure_wire::question::{Asked, Texts};

use super::access::Action;
use super::asking::{self, PATIENCE};
use super::caller::Caller;
use super::{Hall, broken_rule};
use crate::ask::{self, Answer};
use crate::engine::Engine;
use crate::problem::{Code, problem};

/// One of many questions
#[derive(Debug)]
pub(crate) struct OneOfMany {
    /// The question, or why it is none
    pub(crate) question: Result<Asked, Problem>,
    /// The coordinates that are told if there is no answer
    pub(crate) as_of: Option<AsOf>,
}

/// What is told of one of many questions
#[derive(Debug)]
pub(crate) struct Told {
    /// The coordinates where there is no answer, if they were asked for, the caller may know them, and time was left
    pub(crate) as_of: Option<api::AsOf>,
    /// The answer, or why there is none
    pub(crate) answer: Result<Answer, Problem>,
}

impl Hall {
    /// Answers many questions at one moment, up to the first of which `is_last` is true
    ///
    /// # Errors
    /// A ledger that does not answer.
    pub(crate) async fn ask_many(
        &self,
        caller: &Caller,
        questions: Vec<OneOfMany>,
        is_last: impl Fn(&Result<Answer, Problem>) -> bool + Send + 'static,
    ) -> Result<Vec<Told>, Problem> {
        let engine = self.engine()?.clone();
        let (request_timeout, metrics) = (self.request_timeout, Arc::clone(&self.metrics));
        let mut let_in = Vec::with_capacity(questions.len());
        let began = Instant::now();
        for one in questions {
            // All of them together wait no longer than one would.
            let patience = PATIENCE.saturating_sub(began.elapsed());
            let name = one.question.as_ref().ok().map(|asked| Texts::name_of(&asked.question));
            let_in.push((name, self.let_in(caller, &engine, one, patience).await));
        }
        let place = self.computing_place().await?;
        let answered = tokio::task::spawn_blocking(move || {
            let _place = place;
            // One moment for all of them.
            let now = ask::moment(&engine);
            let in_time = |asked: Asked| match began.elapsed() < request_timeout {
                true => Ok(asked),
                // Nobody waits for it any more.
                false => Err(problem(Code::Timeout, "the questions before it took all the time")),
            };
            let mut all = Vec::with_capacity(let_in.len());
            for (name, OneOfMany { question, as_of }) in let_in {
                let own_began = Instant::now();
                let answer =
                    question.and_then(in_time).and_then(|asked| ask::ask(&engine, &asked, now));
                if let Some(name) = name {
                    metrics.answered(name, &answer, own_began);
                }
                // They may cost as much as an answer, and nobody waits for them any more either.
                let as_of = as_of.filter(|_| answer.is_err() && began.elapsed() < request_timeout);
                let as_of = as_of.and_then(|as_of| ask::coordinates(&engine, as_of, now).ok());
                let last = is_last(&answer);
                all.push(Told { as_of, answer });
                if last {
                    break;
                }
            }
            all
        });
        answered.await.map_err(|_| broken_rule())
    }

    /// Answers many checks at one moment, each with its answer or its problem
    ///
    /// # Errors
    /// A ledger that does not answer.
    pub(crate) async fn check_many(
        &self,
        caller: &Caller,
        checks: Vec<Result<Asked, Problem>>,
    ) -> Result<Checks, Problem> {
        let questions = checks.into_iter().map(|question| OneOfMany { question, as_of: None });
        let told = self.ask_many(caller, questions.collect(), |_| false).await?;
        let result = |told: Told| match told.answer {
            Ok(Answer::Check(check)) => CheckOrProblem::Check(Box::new(check)),
            Ok(_) => CheckOrProblem::Problem(broken_rule()),
            Err(problem) => CheckOrProblem::Problem(problem),
        };
        Ok(Checks { results: told.into_iter().map(result).collect() })
    }

    /// A question that its caller may ask, at a position that is known here, or why it is not
    async fn let_in(
        &self,
        caller: &Caller,
        engine: &Engine,
        one: OneOfMany,
        patience: Duration,
    ) -> OneOfMany {
        match &one.question {
            Ok(asked) => match self.reach(caller, engine, asked, patience).await {
                Ok(()) => one,
                Err(problem) => OneOfMany { question: Err(problem), as_of: None },
            },
            // Everybody may hear what is wrong with his own request. Where the log stands is for those who may read it.
            Err(_) => {
                let may =
                    |as_of| self.decide(caller, Action::Ask(&Question::Catalog { as_of })).is_ok();
                OneOfMany { as_of: one.as_of.filter(|as_of| may(*as_of)), ..one }
            }
        }
    }

    async fn reach(
        &self,
        caller: &Caller,
        engine: &Engine,
        asked: &Asked,
        patience: Duration,
    ) -> Result<(), Problem> {
        self.decide(caller, Action::Ask(&asked.question))?;
        asking::reach(engine, asked, patience).await
    }
}
