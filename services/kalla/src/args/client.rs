//! The arguments of the commands that ask a running gateway: `kalla run`, `kalla runs`, `kalla recipes`, `kalla ready`.

use clap::{Args, Subcommand};

/// Which gateway.
#[derive(Debug, Args)]
pub struct Gateway {
    /// The gateway, as `kalla up` prints it
    #[arg(
        long,
        env = "KALLA_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:3000",
        help_heading = "Gateway"
    )]
    pub url: String,
}

const RUN_EXAMPLES: &str = "\
Examples:
  kalla run invoices-payments --left invoices.csv --right payments.csv --wait
  kalla run recipe.yaml --left invoices.csv --right 'postgres://me@db.example/bank?table=payments'
  kalla run invoices-payments --left march.csv --json | jq .run_id

A local file is uploaded; anything with `://` is read by the worker where it is. Exit status with --wait: 0 everything
matched, 1 there are breaks, 2 an error; without, 0 once the run is made.";

/// Run a recipe on a gateway.
#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub struct Run {
    /// A recipe of the gateway by its id, or a file that holds one
    pub recipe: String,
    /// What the left side is this time: a file, s3://…, gs://… or postgres://…
    #[arg(long, value_name = "SOURCE")]
    pub left: Option<String>,
    /// What the right side is this time
    #[arg(long, value_name = "SOURCE")]
    pub right: Option<String>,
    /// Runs with a higher one go first, from -100 to 100 [default: as the recipe says]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub priority: Option<i32>,
    /// Wait until it has ended, and tell what came of it
    #[arg(long)]
    pub wait: bool,
    /// Print the run as one JSON object
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub gateway: Gateway,
}

/// List the runs of a gateway, the latest first.
#[derive(Debug, Args)]
pub struct Runs {
    /// Only those of this recipe
    #[arg(long, value_name = "ID")]
    pub recipe: Option<String>,
    /// Only those in this state: pending, matching, completed, failed, cancelled …
    #[arg(long, value_name = "STATE")]
    pub state: Option<String>,
    /// Runs to show
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: u32,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub gateway: Gateway,
}

const RECIPES_EXAMPLES: &str = "\
Examples:
  kalla recipes push recipes/*.yaml
  kalla recipes pull invoices-payments > invoices-payments.yaml

Files are kept in version control, the gateway keeps every version that was pushed. What is pushed as it is there already
adds no version. Credentials are not pulled: what is pushed without those that the gateway has keeps them.";

/// Move recipes between files and a gateway.
#[derive(Debug, Args)]
#[command(after_help = RECIPES_EXAMPLES)]
pub struct Recipes {
    #[command(subcommand)]
    pub action: Action,
    #[command(flatten)]
    pub gateway: Gateway,
}

#[derive(Debug, Subcommand)]
pub enum Action {
    /// Save recipes from files, in YAML or JSON
    Push {
        /// The files
        #[arg(required = true)]
        files: Vec<String>,
    },
    /// Print a recipe as YAML
    Pull {
        /// The recipe
        id: String,
        /// Which version of it [default: the latest]
        #[arg(long)]
        version: Option<u32>,
        /// Print JSON instead
        #[arg(long)]
        json: bool,
    },
    /// List them
    List,
}

const READY_EXAMPLES: &str = "\
Examples:
  kalla ready
  kalla ready http://127.0.0.1:9090

For health checks of containers and for scripts. Exit status: 0 it is, 1 it is not, and why.";

/// Ask a gateway or a worker whether it can be used.
#[derive(Debug, Args)]
#[command(after_help = READY_EXAMPLES)]
pub struct Ready {
    /// The gateway or the worker
    #[arg(env = "KALLA_URL", value_name = "URL", default_value = "http://127.0.0.1:3000")]
    pub url: String,
}
