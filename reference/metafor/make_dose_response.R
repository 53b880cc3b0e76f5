# Dose-response curves to hold ours against, made with dosresmeta and mixmeta.
# usage: Rscript make_dose_response.R dose_response.json
suppressPackageStartupMessages({ library(dosresmeta) })
options(warn = -1)

# 17 significant digits give back the same double; the JSON libraries of R stop at 15.
as_json <- function(x) {
  if (is.null(x)) return("null")
  if (is.list(x)) {
    inside <- vapply(x, as_json, "")
    if (is.null(names(x))) return(paste0("[", paste(inside, collapse = ",\n"), "]"))
    return(paste0("{", paste0('"', names(x), '":', inside, collapse = ",\n"), "}"))
  }
  if (is.matrix(x)) return(as_json(unname(apply(x, 1, identity, simplify = FALSE))))
  texts <- if (is.character(x)) paste0('"', x, '"') else ifelse(is.finite(x), sprintf("%.17g", x), "null")
  if (length(x) == 1) texts else paste0("[", paste(texts, collapse = ","), "]")
}
num <- function(x) as.numeric(x)
plain <- function(x) { x <- as.matrix(x); dimnames(x) <- NULL; x }

CONTROL <- list(reltol = 1e-14, maxiter = 5000, igls.inititer = 50)
summarised <- function(m) {
  found <- list(beta = num(coef(m)), covariance = plain(vcov(m)), log_likelihood = num(logLik(m)))
  if (m$method != "fixed") found$between <- plain(m$Psi)
  if (m$proc == "2stage") { q <- qtest(m); found$Q <- num(q$Q[1]); found$Q_df <- num(q$df[1]) }
  found
}
fit <- function(formula, data, method, proc, ...) {
  args <- c(list(formula = formula, id = quote(id), data = data, method = method, proc = proc, control = CONTROL), ...)
  summarised(do.call(dosresmeta, args))
}
ratios <- list(type = quote(type), se = quote(se), cases = quote(cases), n = quote(n))
means <- function(measure) list(sd = quote(sd), n = quote(n), covariance = measure)

# Emax with one ED50 for all trials: the likelihood written out with dense matrices.
emax <- function(trials, random) {
  deviance <- function(par) {
    sum(vapply(trials, function(t) {
      z <- t$dose / (exp(par[2]) + t$dose)
      S <- t$S + if (random) par[3]^2 * outer(z, z) else 0
      r <- t$y - par[1] * z
      num(determinant(S)$modulus) + sum(r * solve(S, r)) + length(r) * log(2 * pi)
    }, 0))
  }
  par <- c(10, log(3), 1)[seq_len(2 + random)]
  for (round in 1:20) {
    par <- optim(par, deviance, control = list(reltol = 1e-15, maxit = 20000))$par
    par <- optim(par, deviance, method = "BFGS", control = list(reltol = 1e-15, maxit = 20000, ndeps = rep(1e-5, length(par))))$par
  }
  list(maximum = par[1], ed50 = exp(par[2]), tau2 = if (random) par[3]^2 else 0, log_likelihood = -deviance(par) / 2)
}

data(alcohol_cvd); data(coffee_mort); data(ari); data(cc_ex)
line <- logrr ~ dose
parabola <- logrr ~ dose + I(dose^2)
y_line <- y ~ dose
y_parabola <- y ~ dose + I(dose^2)

by_study <- function(data, f) unname(lapply(split(data, data$id), f))
columns <- function(data, names) by_study(data, function(s) lapply(as.list(s[names]), function(v) if (is.numeric(v)) num(v) else as.character(v)))
ratio_columns <- c("dose", "logrr", "se", "cases", "n")
covariances <- function(data, method) by_study(data, function(s) plain(covar.logrr(
  cases = cases, n = n, y = logrr, v = se^2, type = type, data = s, covariance = method)))

alcohol <- list(
  studies = columns(alcohol_cvd, ratio_columns), type = as.character(tapply(as.character(alcohol_cvd$type), alcohol_cvd$id, `[`, 1)),
  greenland_longnecker = covariances(alcohol_cvd, "gl"))
places <- num(quantile(alcohol_cvd$dose, c(.1, .5, .9)))
alcohol$knots <- places
basis <- function(x, t) {
  cube <- function(u) pmax(u, 0)^3
  (cube(x - t[1]) - cube(x - t[2]) * (t[3] - t[1]) / (t[3] - t[2]) + cube(x - t[3]) * (t[2] - t[1]) / (t[3] - t[2])) / (t[3] - t[1])^2
}
alcohol_cvd$bend <- basis(alcohol_cvd$dose, places)
for (method in c("fixed", "ml", "reml", "mm")) {
  alcohol[[paste0("linear|2|", method)]] <- fit(line, alcohol_cvd, method, "2stage", ratios)
  alcohol[[paste0("quadratic|2|", method)]] <- fit(parabola, alcohol_cvd, method, "2stage", ratios)
  alcohol[[paste0("spline|2|", method)]] <- fit(logrr ~ dose + bend, alcohol_cvd, method, "2stage", ratios)
}

coffee <- list(studies = columns(coffee_mort, ratio_columns), type = as.character(tapply(as.character(coffee_mort$type), coffee_mort$id, `[`, 1)))
coffee[["quadratic|2|mm"]] <- fit(parabola, coffee_mort, "mm", "2stage", ratios)
for (method in c("fixed", "ml", "reml")) {
  coffee[[paste0("linear|1|", method)]] <- fit(line, coffee_mort, method, "1stage", ratios)
  coffee[[paste0("quadratic|1|", method)]] <- fit(parabola, coffee_mort, method, "1stage", ratios)
}
# Three studies keep one dose only, too few for a parabola of their own.
few <- subset(coffee_mort, !(id %in% c(2, 6, 11)) | ave(dose, id, FUN = rank) <= 2)
coffee$few <- columns(few, ratio_columns)
coffee$few_type <- as.character(tapply(as.character(few$type), few$id, `[`, 1))
for (method in c("fixed", "ml", "reml")) coffee[[paste0("few|quadratic|1|", method)]] <- fit(parabola, few, method, "1stage", ratios)

contrasts <- function(measure) by_study(ari, function(s) {
  found <- covar.smd(y, sd, n, measure = measure, data = s)
  list(dose = s$dose[-1], y = num(found$y)[-1], S = plain(found$S))
})
aripiprazole <- list(trials = columns(ari, c("dose", "y", "sd", "n")), smd = contrasts("smd"), md = contrasts("md"))
for (measure in c("smd", "md")) for (method in c("fixed", "ml", "reml", "mm")) {
  aripiprazole[[paste0(measure, "|linear|2|", method)]] <- fit(y_line, ari, method, "2stage", means(measure))
  aripiprazole[[paste0(measure, "|quadratic|2|", method)]] <- fit(y_parabola, ari, method, "2stage", means(measure))
}
aripiprazole$emax_common <- emax(aripiprazole$md, FALSE)
# Effects twice as large in two trials, so that the maximal effect varies.
larger <- aripiprazole$md
for (i in c(2, 5)) larger[[i]]$y <- 2 * larger[[i]]$y
aripiprazole$emax_random <- emax(larger, TRUE)

values <- list(
  `_made_with` = list(dosresmeta = as.character(packageVersion("dosresmeta")), mixmeta = as.character(packageVersion("mixmeta")),
                      R = R.version.string),
  alcohol_cvd = alcohol, coffee_mort = coffee, ari = aripiprazole)
writeLines(as_json(values), commandArgs(TRUE)[1])
