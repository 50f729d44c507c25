-module(count).
-export([main/0]).

main() ->
    Add = fun(I, All) -> maps:update_with(I * 7 rem 300, fun(N) -> N + 1 end, 1, All) end,
    Counts = lists:foldl(Add, #{}, lists:seq(0, 29999)),
    Parent = self(),
    [spawn(fun() -> Parent ! byte_size(binary:copy(<<"x">>, N * 10000)) end) || N <- lists:seq(1, 8)],
    Sum = lists:sum([receive Size -> Size end || _ <- lists:seq(1, 8)]),
    io:format("~p words ~p~n", [maps:size(Counts), Sum]),
    halt(0).
