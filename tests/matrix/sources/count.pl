:- initialization(main).
count(N) :- findall(W, (between(0, 2999, I), J is I * 7 mod 300, atom_concat(word, J, W)), All), sort(All, Set), length(Set, N).
main :- count(N), numlist(1, 20000, L), sum_list(L, S), format("~w words ~w~n", [N, S]), halt(4).
