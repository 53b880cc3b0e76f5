# Time courses to hold ours against: lines in log time made with metafor, exponentials with optim.
# usage: Rscript make_time_course.R time_course.json
suppressPackageStartupMessages({ library(metafor) })
options(warn = -1)
EXACT <- list(optimizer = "optim", optmethod = "BFGS", reltol = 1e-15, maxit = 10000)

# 17 significant digits give back the same double; the JSON libraries of R stop at 15.
as_json <- function(x) {
  if (is.list(x)) {
    inside <- vapply(x, as_json, "")
    if (is.null(names(x))) return(paste0("[", paste(inside, collapse = ",\n"), "]"))
    return(paste0("{", paste0('"', names(x), '":', inside, collapse = ",\n"), "}"))
  }
  if (is.matrix(x)) return(as_json(unname(apply(x, 1, identity, simplify = FALSE))))
  texts <- if (is.character(x)) paste0('"', x, '"') else ifelse(is.finite(x), sprintf("%.17g", x), "null")
  if (length(x) == 1) texts else paste0("[", paste(texts, collapse = ","), "]")
}
plain <- function(x) { x <- as.matrix(x); dimnames(x) <- NULL; x }

# Effects of 6 studies at 1 to 5 times, made up; "fast" declines clearly, "slow" hardly.
data <- data.frame(
  study = c("a", "a", "a", "a", "b", "b", "b", "c", "c", "d", "d", "d", "d", "d", "e", "f", "f"),
  days = c(1, 3, 7, 14, 1, 2, 7, 3, 28, 1, 2, 3, 5, 7, 5, 1, 14),
  vi = c(.04, .05, .04, .06, .09, .08, .10, .05, .07, .03, .03, .04, .04, .05, .06, .12, .15),
  fast = c(1.62, 1.27, .83, .64, .60, .65, .22, 1.18, .25, 1.25, 1.00, .77, .68, .40, .95, 1.10, .30),
  slow = c(.80, .92, .71, .66, .95, .70, .88, .52, .60, .75, .81, .69, .90, .77, .60, 1.02, .65))
start <- min(data$days)
data$log_time <- log(data$days / start)
data$effect <- seq_len(nrow(data))

line <- function(name, rho) {
  V <- vcalc(vi, cluster = study, obs = effect, rho = rho, data = data)
  m <- rma.mv(data[[name]], V, mods = ~ log_time, random = ~ 1 | study, data = data, method = "REML",
              control = EXACT)
  q <- qt(.975, length(unique(data$study)) - 2)
  b <- as.numeric(coef(m)); C <- plain(vcov(m))
  # Half-lives h (log units) that t does not reject: (b0/2 + b1 h)^2 = q^2 Var(b0/2 + b1 h).
  distance <- function(h) (b[1] / 2 + b[2] * h)^2 - q^2 * (C[1, 1] / 4 + h * C[1, 2] + h^2 * C[2, 2])
  centre <- -b[1] / (2 * b[2])
  root <- function(from, to) if (distance(from) * distance(to) < 0) uniroot(distance, c(from, to), tol = 1e-14)$root else NA
  limits <- c(root(0, centre), root(centre, centre + 1e4))
  list(beta = b, covariance = C, tau2 = m$sigma2, log_likelihood = as.numeric(logLik(m)),
       half_life = start * (exp(centre) - 1), half_life_limits = start * (exp(limits) - 1),
       at_7 = with(predict(m, newmods = log(7 / start)), c(pred, se)))
}

exponential <- function(name, rho) {
  V <- vcalc(vi, cluster = study, obs = effect, rho = rho, data = data)
  y <- data[[name]]; Z <- outer(data$study, data$study, "=="); t <- data$days - start
  deviance <- function(amplitude, rate, tau2) {
    if (abs(rate) > 1 || abs(tau2) > 100) return(1e6)
    z <- exp(-rate * t)
    S <- V + tau2 * Z * outer(z, z)
    r <- y - amplitude * z
    as.numeric(determinant(S)$modulus) + sum(r * solve(S, r)) + length(y) * log(2 * pi)
  }
  minimise <- function(f, par) {
    for (round in 1:10) {
      par <- optim(par, f, control = list(reltol = 1e-15, maxit = 20000))$par
      par <- optim(par, f, method = "BFGS", control = list(reltol = 1e-15, maxit = 20000, ndeps = rep(1e-6, length(par))))$par
    }
    list(par = par, value = f(par))
  }
  best <- minimise(function(p) deviance(p[1], p[2], p[3]^2), c(1, .05, .2))
  profile <- function(rate) minimise(function(p) deviance(p[1], rate, p[2]^2), c(best$par[1], best$par[3]))$value
  # The likelihood ratio at which a regression of one effect per study rejects by t.
  n <- length(unique(data$study)); ratio <- n * log(1 + qt(.975, n - 2)^2 / (n - 2))
  excess <- function(rate) profile(rate) - best$value - ratio
  rate <- best$par[2]
  low <- uniroot(excess, c(rate - .5, rate), tol = 1e-9)$root
  high <- uniroot(excess, c(rate, rate + .6), tol = 1e-9)$root
  list(beta = best$par[1:2], tau2 = best$par[3]^2, log_likelihood = -best$value / 2, rate_limits = c(low, high))
}

fits <- list()
for (name in c("fast", "slow")) {
  for (rho in c(0, .6)) {
    fits[[paste0(name, "|log|", rho)]] <- line(name, rho)
    fits[[paste0(name, "|exponential|", rho)]] <- exponential(name, rho)
  }
}
values <- list(`_made_with` = list(metafor = as.character(packageVersion("metafor")), R = R.version.string),
               data = as.list(data[c("study", "days", "vi", "fast", "slow")]), fits = fits)
writeLines(as_json(values), commandArgs(TRUE)[1])
