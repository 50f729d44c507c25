words <- paste0("word", (0:2999 * 7) %% 300)
counts <- table(words)
fit <- lm(y ~ x, data.frame(x = 1:1000, y = 2 * (1:1000) + sin(1:1000)))
cat(length(counts), "words", round(coef(fit), 3), "\n")
